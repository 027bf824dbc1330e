// The npm client `openai`, unchanged, against a running fake, whose address is in MOCKSERVER_URL.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, test } from "node:test";

import OpenAI from "openai";

const url = process.env.MOCKSERVER_URL;
let apiKey;
let client;

beforeEach(() => {
  apiKey = `key-${randomUUID()}`;
  client = new OpenAI({ baseURL: `${url}/api/v1/llm`, apiKey, maxRetries: 2 });
});

async function control(method, path, body) {
  const response = await fetch(`${url}/_mock${path}?api_key=${apiKey}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

const weather = {
  type: "function",
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  strict: true,
};

test("a conversation answers", async () => {
  await control("POST", "/replies", { input: "raining", text: "It rains in Oslo." });
  const conversation = await client.conversations.create({ metadata: { topic: "weather" } });

  const response = await client.responses.create({ model: "auto", conversation: conversation.id, input: "Is it raining?" });

  assert.equal(response.output_text, "It rains in Oslo.");
  const texts = [];
  for await (const item of client.conversations.items.list(conversation.id, { order: "asc" })) texts.push(item.role);
  assert.deepEqual(texts, ["user", "assistant"]);
});

test("a tool is called, and its output is answered", async () => {
  const asked = await client.responses.create({
    model: "auto",
    input: "What is the weather in Oslo?",
    tools: [weather],
    tool_choice: { type: "function", name: "get_weather" },
  });
  const call = asked.output.find((item) => item.type === "function_call");
  assert.equal(typeof JSON.parse(call.arguments).city, "string");

  const told = await client.responses.create({
    model: "auto",
    previous_response_id: asked.id,
    input: [{ type: "function_call_output", call_id: call.call_id, output: "rain" }],
  });

  assert.equal(told.output_text, "get_weather said: rain");
});

test("a stream is read event by event", async () => {
  await control("POST", "/replies", { text: ["It ", "rains."] });
  const deltas = [];
  const numbers = [];
  for await (const event of await client.responses.create({ model: "auto", input: "Is it raining?", stream: true })) {
    numbers.push(event.sequence_number);
    if (event.type === "response.output_text.delta") deltas.push(event.delta);
  }
  assert.deepEqual(deltas, ["It ", "rains."]);
  assert.deepEqual(numbers, [...numbers.keys()]);
});

test("the stream helper collects the final response", async () => {
  const stream = client.responses.stream({ model: "auto", input: "Hello" });
  const types = [];
  for await (const event of stream) types.push(event.type);
  const final = await stream.finalResponse();
  assert.equal(types.at(0), "response.created");
  assert.equal(types.at(-1), "response.completed");
  assert.equal(final.output_text, "You said: Hello");
});

test("structured output conforms to its schema", async () => {
  const response = await client.responses.parse({
    model: "auto",
    input: "Which city is the capital of Norway?",
    text: {
      format: {
        type: "json_schema",
        name: "city",
        strict: true,
        schema: {
          type: "object",
          properties: { city: { type: "string" }, is_capital: { type: "boolean" } },
          required: ["city", "is_capital"],
          additionalProperties: false,
        },
      },
    },
  });
  const city = JSON.parse(response.output_text);
  assert.deepEqual([typeof city.city, typeof city.is_capital], ["string", "boolean"]);
});

test("a background response is polled, and another one is cancelled", async () => {
  const created = await client.responses.create({ model: "auto", input: "Hello", background: true });
  assert.equal(created.status, "queued");
  assert.equal((await client.responses.retrieve(created.id)).status, "completed");

  const cancelled = await client.responses.create({ model: "auto", input: "Hello", background: true });
  assert.equal((await client.responses.cancel(cancelled.id)).status, "cancelled");
  await client.responses.delete(created.id);
  await assert.rejects(client.responses.retrieve(created.id), OpenAI.NotFoundError);
});

test("input items are listed", async () => {
  const response = await client.responses.create({ model: "auto", input: [{ role: "user", content: "Hello" }] });
  const items = [];
  for await (const item of client.responses.inputItems.list(response.id)) items.push(item.content);
  assert.deepEqual(items, ["Hello"]);
});

test("a rate limit is retried, and a bad request is not", async () => {
  const fault = { operation: "createResponse", status: 429, headers: { "retry-after-ms": "5" } };
  await control("POST", "/faults", fault);
  assert.equal((await client.responses.create({ model: "auto", input: "Hello" })).status, "completed");

  const error = await client.responses.create({ model: "auto", input: "Hello", temperature: 3 }).catch((reason) => reason);
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "temperature");
  const { data } = await control("GET", "/requests");
  assert.deepEqual(data.map((entry) => entry.status), [429, 200, 400]);
});

test("a stream that is cut is an error", async () => {
  await control("POST", "/replies", { text: "It rains.", fault: { action: "reset", after_events: 3 } });
  const read = async () => {
    for await (const event of await client.responses.create({ model: "auto", input: "Hello", stream: true })) void event;
  };
  await assert.rejects(read());
});
