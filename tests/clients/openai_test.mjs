// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import OpenAI from 'openai';
import {
  ANSWER, CONVERSATION, LIMIT_MS, MODEL, PROMPT_TOKENS, THOUGHTS, collect, httpUrl, numCancelled, smallHttpUrl,
  untilCancelled, untilIdle, untilRunning,
} from './mesh.mjs';

const client = new OpenAI({ baseURL: `${httpUrl}/v1`, apiKey: 'none', maxRetries: 0, timeout: LIMIT_MS });
const GREEDY = { model: MODEL, messages: CONVERSATION, temperature: 0, seed: 7 };
const DRAWN = { model: MODEL, messages: [{ role: 'user', content: 'hello' }], temperature: 1.5, top_p: 1 };
// Do not end by themselves.
const LONG = { ...GREEDY, ignore_eos: true, max_tokens: 2000, stream: true };
const LONG_ONES = { ...LONG, n: 8 };

function check(name, body) {
  test(name, { timeout: LIMIT_MS }, body);
}

const chat = (fields, options) => client.chat.completions.create({ ...GREEDY, ...fields }, options);
const streamed = async (fields) => collect(await chat({ ...fields, stream: true }));

// The deltas of one choice, put together.
function joined(chunks, index = 0) {
  const choices = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
  const join = (field) => choices.map((choice) => choice.delta[field] ?? '').join('');
  return {
    content: join('content'),
    reasoning: join('reasoning_content'),
    finish: choices.map((choice) => choice.finish_reason).filter((reason) => reason),
  };
}

const textOf = (items) => Buffer.from(items.flatMap((item) => item.bytes)).toString();

function assertUsage(usage) {
  assert.equal(usage.prompt_tokens, PROMPT_TOKENS);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.equal(usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens, usage.prompt_tokens);
  const thoughts = usage.completion_tokens_details.reasoning_tokens;
  assert.ok(thoughts > 0 && thoughts < usage.completion_tokens, `${thoughts} of ${usage.completion_tokens}`);
}

check('models', async () => {
  const models = await collect(client.models.list());
  assert.deepEqual(models.map((model) => [model.id, model.object]), [[MODEL, 'model']]);
  assert.deepEqual(await client.models.retrieve(MODEL), models[0]);
  await assert.rejects(client.models.retrieve('a/b'), OpenAI.NotFoundError);
});

check('a whole answer', async () => {
  const answer = await chat({});
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, MODEL);
  assert.equal(answer.choices.length, 1);
  const [{ message, finish_reason: finish }] = answer.choices;
  assert.deepEqual([message.role, message.content, message.reasoning_content], ['assistant', ANSWER, THOUGHTS]);
  assert.equal(finish, 'stop');
  assertUsage(answer.usage);
});

check('a stream is the whole answer in pieces', async () => {
  const whole = await chat({});
  const chunks = await streamed({ stream_options: { include_usage: true } });
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.deepEqual(new Set(chunks.map((chunk) => chunk.object)), new Set(['chat.completion.chunk']));
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  assert.deepEqual(joined(chunks), { content: ANSWER, reasoning: THOUGHTS, finish: ['stop'] });
  assert.ok(chunks.length > 10, 'many pieces');
  const last = chunks.at(-1);
  assert.deepEqual(last.choices, []);
  assert.deepEqual(last.usage, whole.usage);
});

check("the SDK's own accumulation", async () => {
  const final = await client.chat.completions.stream(GREEDY).finalChatCompletion();
  assert.equal(final.choices[0].message.content, ANSWER);
  assert.equal(final.choices[0].finish_reason, 'stop');
});

check('thinking comes before the answer', async () => {
  const deltas = (await streamed({})).map((chunk) => chunk.choices[0].delta);
  const lastThought = deltas.findLastIndex((delta) => delta.reasoning_content);
  const firstWord = deltas.findIndex((delta) => delta.content);
  assert.ok(0 < lastThought && lastThought < firstWord, `${lastThought}, ${firstWord}`);
});

// All that the model wrote, line ends next to the tags of the thinking included.
check('logprobs of a chat', async () => {
  for (const { logprobs } of [(await chat({ logprobs: true, top_logprobs: 3 })).choices[0],
    joinedLogprobs(await streamed({ logprobs: true, top_logprobs: 3 }))]) {
    assert.equal(textOf(logprobs.content), `\n\n${ANSWER}`);
    // The tag is the last token of the thinking.
    assert.equal(textOf(logprobs.reasoning_content), `${THOUGHTS}\n</think>`);
    for (const item of logprobs.content) {
      assert.equal(item.top_logprobs.length, 3);
      assert.equal(item.token, item.top_logprobs[0].token); // greedy
      assert.ok(item.logprob <= 0 && item.logprob === item.top_logprobs[0].logprob);
    }
  }
});

function joinedLogprobs(chunks) {
  const parts = chunks.map((chunk) => chunk.choices[0]?.logprobs).filter((part) => part);
  const join = (field) => parts.flatMap((part) => part[field] ?? []);
  return { logprobs: { content: join('content'), reasoning_content: join('reasoning_content') } };
}

check('completions, with logprobs and echo', async () => {
  const prompt = 'Two and two';
  const fields = { model: MODEL, prompt, temperature: 0, max_tokens: 8, logprobs: 2 };
  const answer = await client.completions.create(fields);
  const [choice] = answer.choices;
  assert.equal(choice.logprobs.tokens.join(''), choice.text);
  assert.equal(choice.logprobs.token_logprobs.length, 8);
  assert.equal(choice.finish_reason, 'length');
  assert.equal(answer.usage.completion_tokens, 8);
  const chunks = await collect(await client.completions.create({ ...fields, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), choice.text);
  const echo = await client.completions.create({ ...fields, echo: true });
  assert.equal(echo.choices[0].text, prompt + choice.text);
});

check('several choices, each with a seed of its own', async () => {
  const text = (choice) => `${choice.message.reasoning_content}|${choice.message.content}`;
  const both = await client.chat.completions.create({ ...DRAWN, seed: 5, n: 2 });
  assert.deepEqual(both.choices.map((choice) => choice.index), [0, 1]);
  const alone = [5, 6].map((seed) => client.chat.completions.create({ ...DRAWN, seed }));
  const expected = (await Promise.all(alone)).map((answer) => text(answer.choices[0]));
  assert.deepEqual(both.choices.map(text), expected);
  const chunks = await collect(await client.chat.completions.create({ ...DRAWN, seed: 5, n: 2, stream: true }));
  const pieces = [joined(chunks, 0), joined(chunks, 1)];
  assert.deepEqual(pieces.map((choice) => `${choice.reasoning}|${choice.content}`), expected);
});

check('a beginning that was computed before is cached', async () => {
  const fields = { messages: [{ role: 'user', content: `${randomUUID()} ${'one two three '.repeat(60)}` }], max_tokens: 4 };
  const { usage: first } = await chat(fields);
  assert.equal(first.prompt_tokens_details.cached_tokens, 0);
  for (const more of [{}, { n: 4 }, { cache_salt: 'another' }]) {
    const { usage } = await chat({ ...fields, ...more });
    const cached = usage.prompt_tokens_details.cached_tokens;
    const expected = more.cache_salt ? 0 : first.prompt_tokens - (first.prompt_tokens - 1) % 64 - 1;
    assert.equal(cached, expected);
    assert.equal(usage.prompt_cache_hit_tokens, cached);
    assert.equal(usage.prompt_cache_miss_tokens, usage.prompt_tokens - cached);
  }
});

check('a stop string lies across tokens and is not returned', async () => {
  const stop = ['never', 're 3 "r'];
  const answer = await chat({ stop });
  assert.equal(answer.choices[0].message.content, 'There a');
  assert.equal(answer.choices[0].finish_reason, 'stop');
  const pieces = joined(await streamed({ stop }));
  assert.deepEqual([pieces.content, pieces.finish], ['There a', ['stop']]);
});

check('max_tokens', async () => {
  for (const field of ['max_tokens', 'max_completion_tokens']) {
    const answer = await chat({ [field]: 40 });
    assert.equal(answer.choices[0].finish_reason, 'length');
    assert.equal(answer.usage.completion_tokens, 40);
    assert.ok(ANSWER.startsWith(answer.choices[0].message.content));
  }
});

check('errors have the class, code and param that programs look at', async () => {
  const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }];
  const cases = [
    [{ model: 'x' }, OpenAI.NotFoundError, 'model_not_found', 'model'],
    [{ temperature: 3 }, OpenAI.BadRequestError, 'invalid_value', 'temperature'],
    [{ tools }, OpenAI.BadRequestError, 'unsupported_parameter', 'tools'],
    [{ messages: [] }, OpenAI.BadRequestError, 'invalid_value', 'messages'],
    [{ max_tokens: 5000 }, OpenAI.BadRequestError, 'context_length_exceeded', 'max_tokens'],
    [{ stop: [1] }, OpenAI.BadRequestError, 'invalid_type', 'stop[0]'],
  ];
  for (const [fields, type, code, param] of cases) {
    for (const stream of [false, true]) {
      await assert.rejects(chat({ ...fields, stream }), (error) => {
        assert.ok(error instanceof type, error);
        assert.deepEqual([error.code, error.param, error.type], [code, param, 'invalid_request_error']);
        assert.ok(error.requestID);
        assert.equal(error.headers.get('x-should-retry'), 'false');
        return true;
      });
    }
  }
});

check('an error in the middle of a stream', async () => {
  // Whichever deadline falls into the answer.
  for (let ms = 50, pieces = 0; pieces === 0; ms *= 2) {
    const reading = async () => {
      for await (const chunk of await chat(LONG_ONES, { headers: { 'x-request-timeout-ms': String(ms) } })) {
        pieces += chunk.choices.length;
      }
    };
    await assert.rejects(reading(), (error) => {
      assert.ok(error instanceof OpenAI.APIError, error);
      assert.deepEqual([error.code, error.type], ['deadline_exceeded', 'timeout_error']);
      return true;
    });
  }
  await untilIdle();
});

check('a client that stops reading ends its request', async () => {
  const before = await numCancelled();
  for await (const chunk of await chat(LONG)) {
    assert.equal(chunk.choices.length, 1);
    break; // the SDK closes the connection
  }
  await untilCancelled(before);
});

check('a whole answer that is aborted ends its request', async () => {
  const before = await numCancelled();
  const controller = new AbortController();
  const aborted = assert.rejects(chat({ ...LONG_ONES, stream: false }, { signal: controller.signal }),
    OpenAI.APIUserAbortError);
  await untilRunning();
  controller.abort();
  await aborted;
  await untilCancelled(before, LONG_ONES.n);
});

check('a full gateway tells the SDK when to try again', async () => {
  const tries = [];
  const recording = async (url, init) => {
    const response = await fetch(url, init);
    tries.push({ count: new Headers(init.headers).get('x-stainless-retry-count'), response });
    if (response.status === 429) first.controller.abort();
    return response;
  };
  const options = { baseURL: `${smallHttpUrl}/v1`, apiKey: 'none', timeout: LIMIT_MS };
  const blocking = new OpenAI({ ...options, maxRetries: 0 });
  const patient = new OpenAI({ ...options, maxRetries: 30, fetch: recording });
  const first = await blocking.chat.completions.create(LONG);
  await first[Symbol.asyncIterator]().next(); // it runs
  // One of them may wait.
  const answers = await Promise.all([1, 2, 3].map(() => patient.chat.completions.create(GREEDY)));
  assert.deepEqual(answers.map((answer) => answer.choices[0].message.content), [ANSWER, ANSWER, ANSWER]);
  const refused = tries.filter(({ response }) => response.status === 429).map(({ response }) => response.headers);
  assert.ok(refused.length > 0);
  for (const headers of refused) {
    assert.equal(headers.get('x-should-retry'), 'true');
    assert.ok(Number(headers.get('retry-after')) * 1000 >= Number(headers.get('retry-after-ms')));
    assert.ok(Number(headers.get('retry-after-ms')) > 0);
  }
  assert.ok(tries.some(({ count }) => count === '1'));
});

check('an Idempotency-Key brings the same bytes again', async () => {
  for (const stream of [false, true]) {
    const options = { headers: { 'Idempotency-Key': randomUUID() } };
    const fields = { ...DRAWN, stream };
    const ask = async () => (await client.chat.completions.create(fields, options).asResponse()).text();
    const bodies = await Promise.all([ask(), ask()]); // the second joins the first
    bodies.push(await ask());
    assert.equal(new Set(bodies).size, 1);
    await assert.rejects(client.chat.completions.create({ ...fields, max_tokens: 3 }, options), (error) => {
      assert.ok(error instanceof OpenAI.ConflictError, error);
      assert.equal(error.code, 'idempotency_mismatch');
      return true;
    });
  }
});
