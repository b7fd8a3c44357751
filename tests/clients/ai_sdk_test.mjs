// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { createDeepSeek } from '@ai-sdk/deepseek';
import { APICallError, generateText, streamText } from 'ai';
import {
  ANSWER, CONVERSATION, LIMIT_MS, MODEL, PROMPT_TOKENS, THOUGHTS, collect, httpUrl, numCancelled, untilCancelled,
} from './mesh.mjs';

// This provider asks for the paths without /v1.
const deepseek = createDeepSeek({ baseURL: httpUrl, apiKey: 'none' });
const GREEDY = { model: deepseek(MODEL), messages: CONVERSATION, temperature: 0, maxRetries: 0 };
const ENDLESS = { ignore_eos: true, max_tokens: 2000 };

function check(name, body) {
  test(name, { timeout: LIMIT_MS }, body);
}

function assertUsage(usage) {
  assert.equal(usage.inputTokens, PROMPT_TOKENS);
  assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  const { textTokens, reasoningTokens } = usage.outputTokenDetails;
  assert.ok(textTokens > 0 && reasoningTokens > 0);
  assert.equal(textTokens + reasoningTokens, usage.outputTokens);
}

check('text and reasoning', async () => {
  const answer = await generateText(GREEDY);
  assert.deepEqual([answer.text, answer.reasoningText, answer.finishReason], [ANSWER, THOUGHTS, 'stop']);
  assertUsage(answer.usage);
  assert.equal(answer.response.modelId, MODEL);
  const { promptCacheHitTokens: hit, promptCacheMissTokens: miss } = answer.providerMetadata.deepseek;
  assert.equal(hit + miss, PROMPT_TOKENS);
});

check('a stream of parts', async () => {
  const result = streamText(GREEDY);
  const parts = await collect(result.fullStream);
  const join = (type) => parts.filter((part) => part.type === type).map((part) => part.text).join('');
  assert.deepEqual([join('text-delta'), join('reasoning-delta')], [ANSWER, THOUGHTS]);
  const types = parts.map((part) => part.type);
  assert.ok(types.lastIndexOf('reasoning-delta') < types.indexOf('text-delta'));
  assert.equal(types.at(-1), 'finish');
  assert.equal(await result.finishReason, 'stop');
  assertUsage(await result.usage);
});

check('maxOutputTokens', async () => {
  const answer = await generateText({ ...GREEDY, maxOutputTokens: 40 });
  assert.deepEqual([answer.finishReason, answer.usage.outputTokens], ['length', 40]);
});

check('a conversation goes on with the thoughts of earlier answers', async () => {
  const first = await generateText(GREEDY);
  const messages = [...CONVERSATION, ...first.response.messages, { role: 'user', content: 'What is 12 + 30?' }];
  const second = await generateText({ ...GREEDY, messages });
  assert.equal(second.finishReason, 'stop');
  assert.ok(second.usage.inputTokens > first.usage.inputTokens);
});

check('errors', async () => {
  const cases = [
    [{ model: deepseek('x') }, 404, 'model_not_found'],
    [{ temperature: 3 }, 400, 'invalid_value'],
  ];
  for (const [fields, status, code] of cases) {
    await assert.rejects(generateText({ ...GREEDY, ...fields }), (error) => {
      assert.ok(APICallError.isInstance(error), error);
      assert.deepEqual([error.statusCode, error.data.error.code, error.isRetryable], [status, code, false]);
      return true;
    });
  }
});

check('an aborted stream ends its request', async () => {
  const before = await numCancelled();
  // The SDK has no word for an answer that does not end by itself.
  const long = (url, init) => fetch(url, { ...init, body: JSON.stringify({ ...JSON.parse(init.body), ...ENDLESS }) });
  const model = createDeepSeek({ baseURL: httpUrl, apiKey: 'none', fetch: long })(MODEL);
  const controller = new AbortController();
  const types = [];
  for await (const part of streamText({ ...GREEDY, model, abortSignal: controller.signal }).fullStream) {
    types.push(part.type);
    if (part.type === 'reasoning-delta') controller.abort();
  }
  assert.equal(types.at(-1), 'abort');
  await untilCancelled(before);
});
