"""The compiled contract that applications share."""

from dataclasses import FrozenInstanceError

import pytest

from mockserver.contract.contract import Contract
from mockserver.contract.document import DocumentError, data_path


def test_the_shipped_contract_has_its_operations_and_schemas():
    contract = Contract.load()
    assert contract.operations["conversations.create"].path == "/api/v1/llm/conversations"
    assert contract.schemas.at("/components/schemas/Item").is_valid({}) is False
    assert contract.id_prefixes["message"] == "msg"
    assert contract.id_prefixes["conversation"] == "conv"
    assert {"message", "function_call"} <= set(contract.item_types)


def test_a_contract_can_be_loaded_from_a_path():
    contract = Contract.load(data_path("spec/control.yaml"))
    assert "faults.add" in contract.operations


def test_a_contract_cannot_be_changed():
    contract = Contract.load()
    with pytest.raises(FrozenInstanceError):
        contract.document = {}


def test_an_engine_is_created_once():
    contract = Contract.load()
    assert contract.engine("compiled") is contract.engine("compiled")


def test_an_unsupported_document_is_rejected():
    with pytest.raises(DocumentError, match="#/openapi"):
        Contract.from_document({"openapi": "4.0.0"})


@pytest.mark.parametrize("name", ["spec/openapi.yaml", "spec/control.yaml"])
def test_all_schemas_of_the_shipped_contracts_can_be_compiled(name):
    contract = Contract.load(data_path(name))
    contract.schemas.check()
