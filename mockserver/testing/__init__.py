"""Public names for test authors: the object behind the `mka1` fixture and its parts."""

from mockserver.testing.block import fake as fake
from mockserver.testing.controls import ClockControls as ClockControls
from mockserver.testing.controls import FaultControls as FaultControls
from mockserver.testing.controls import FaultFields as FaultFields
from mockserver.testing.controls import StateControls as StateControls
from mockserver.testing.controls import When as When
from mockserver.testing.exchanges import Exchange as Exchange
from mockserver.testing.expected_call import CallFields as CallFields
from mockserver.testing.marker import FakeOptions as FakeOptions
from mockserver.testing.mka1 import Mka1 as Mka1
from mockserver.testing.replies import ReplyControls as ReplyControls
from mockserver.testing.replies import ReplyFields as ReplyFields
from mockserver.testing.requests import Requests as Requests
from mockserver.testing.servers import Mka1Server as Mka1Server
from mockserver.testing.servers import open_server as open_server
