import { createOpenPgpSlot, encodeRecoveryKey, nodeSuite, recoveryText } from '@cairn/core';
import { z } from 'zod';

import { assertPassword } from '../accounts/assert-password.ts';
import { PASSWORD, TIME } from '../accounts/schemas.ts';
import type { GateStanding } from '../gate/key-gate.ts';
import { REPOSITORY_PARAM, route } from '../http/route.ts';
import { mayUseRepository } from '../rights/principal.ts';
import { optionalTime, timeText } from '../state/time.ts';

const STANDING = z.strictObject({
  repository: z.string(),
  fingerprint: z.string().nullable(),
  problem: z.string().nullable().describe('why the key cannot be read; null when it can'),
  can_export: z.boolean().describe('whether the panel has the root key'),
  state: z.enum(['export', 'save', 'saved']).describe('what is next'),
  export_run: z.string().nullable(),
  exported: TIME.nullable(),
  shown: TIME.nullable(),
  saved: TIME.nullable(),
  saved_by: z.string().nullable(),
});

export const RECOVERY_KEY_PARAMS = z.strictObject({ repository: REPOSITORY_PARAM });
const PARAMS = RECOVERY_KEY_PARAMS;

function standingJson(standing: GateStanding): z.input<typeof STANDING> {
  const { exportedMs, savedMs } = standing;
  return {
    repository: standing.repository,
    fingerprint: standing.fingerprint ?? null,
    problem: standing.problem ?? null,
    can_export: standing.canExport,
    state: savedMs !== null ? 'saved' : exportedMs !== null || !standing.canExport ? 'save' : 'export',
    export_run: standing.exportRun ?? null,
    exported: optionalTime(exportedMs),
    shown: optionalTime(standing.shownMs),
    saved: optionalTime(savedMs),
    saved_by: standing.savedBy,
  };
}

const gate = route({
  method: 'GET',
  path: '/api/v1/key-gate',
  right: 'self',
  gate: 'open',
  summary: 'Tell whether every recovery key is saved; until then all other routes answer 423',
  responses: {
    200: {
      description: 'The gate, and each repository on its way through it.',
      schema: z.strictObject({ open: z.boolean(), repositories: z.array(STANDING) }),
    },
  },
  handler: async ({ principal }, services) => {
    const names = services.repositories.names();
    const standings = await Promise.all(names.map((name) => services.gate.standing(name)));
    return {
      status: 200,
      body: {
        open: standings.every(({ savedMs }) => savedMs !== null),
        repositories: standings.filter(({ repository }) => mayUseRepository(principal, repository)).map(standingJson),
      },
    };
  },
});

const get = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/recovery-key',
  right: 'keys:export',
  gate: 'open',
  summary: 'Tell how far the recovery key is exported and saved',
  request: { params: PARAMS },
  responses: { 200: { description: 'Of the root key that is current now.', schema: STANDING } },
  handler: async ({ params }, services) => ({
    status: 200,
    body: standingJson(await services.gate.standing(params.repository)),
  }),
});

const reveal = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/recovery-key/reveal',
  right: 'keys:export',
  gate: 'open',
  summary: 'Show the recovery key, against your password. It is neither kept nor logged',
  request: { params: PARAMS, body: z.strictObject({ password: PASSWORD }) },
  responses: {
    200: {
      description: 'The key. Whoever has it can read every backup.',
      schema: z.strictObject({
        fingerprint: z.string(),
        recovery_key: z.string().describe('17 groups of 5'),
        text: z.string().describe('to be saved as a file: all that a restore needs'),
        file_name: z.string(),
      }),
    },
  },
  handler: async (call, services) => {
    const name = call.params.repository;
    await assertPassword(call, call.body.password, services);
    const { key, fingerprint } = await services.gate.exportedKey(name);
    const { capabilities } = key;
    const { address } = services.repositories.config(name);
    const createdNs = services.environment.clock.nowNs();
    const text = recoveryText(nodeSuite, { capabilities, address, createdNs });
    services.gate.shown(name, fingerprint);
    call.note({ fingerprint });
    const body = {
      fingerprint,
      recovery_key: encodeRecoveryKey(nodeSuite, capabilities),
      text,
      file_name: `cairn-recovery-key-${name}.txt`,
    };
    return { status: 200, body };
  },
});

const openPgp = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/recovery-key/openpgp',
  right: 'keys:export',
  gate: 'open',
  bodyBytes: 262_144,
  summary: 'Get a copy of the key that is encrypted for OpenPGP keys, against your password; `gpg --decrypt` opens it',
  request: {
    params: PARAMS,
    body: z.strictObject({ password: PASSWORD, public_keys: z.array(z.string().min(1).max(131_072)).min(1).max(10) }),
  },
  responses: {
    200: {
      description: 'The encrypted copy.',
      schema: z.strictObject({
        fingerprint: z.string(),
        recipients: z.array(z.string()).describe('fingerprints of the OpenPGP keys'),
        message: z.string().describe('ASCII armour; what is in it is a key file'),
      }),
    },
  },
  handler: async (call, services) => {
    await assertPassword(call, call.body.password, services);
    const { key, fingerprint } = await services.gate.exportedKey(call.params.repository);
    const { clock, random } = services.environment;
    const notes = { label: 'recovery key', createdNs: clock.nowNs() };
    const slot = await createOpenPgpSlot(nodeSuite, random, key.capabilities, call.body.public_keys, notes);
    call.note({ fingerprint, recipients: slot.recipients.join(' ') });
    return { status: 200, body: { fingerprint, recipients: [...slot.recipients], message: slot.message } };
  },
});

const ask = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/recovery-key/ask',
  right: 'keys:export',
  gate: 'open',
  summary: 'Learn which two groups of the recovery key are to be typed as proof that it is saved',
  request: { params: PARAMS },
  responses: {
    200: {
      description: 'Numbers of groups, from 1.',
      schema: z.strictObject({ groups: z.array(z.int()), until: TIME }),
    },
  },
  handler: async ({ params }, services) => {
    const { groups, untilMs } = await services.gate.ask(params.repository);
    return { status: 200, body: { groups: [...groups], until: timeText(untilMs) } };
  },
});

const BY_GROUPS = z.strictObject({
  groups: z
    .array(z.strictObject({ group: z.int().min(1).max(17), text: z.string().min(1).max(32) }))
    .min(1)
    .max(17),
});
const BY_KEY = z.strictObject({ recovery_key: z.string().min(1).max(16_384) });

const saved = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/recovery-key/saved',
  right: 'keys:export',
  gate: 'open',
  summary:
    'Prove that the recovery key is saved, and open the gate: by the groups that were asked for, or by the whole key',
  request: { params: PARAMS, body: z.union([BY_GROUPS, BY_KEY]) },
  responses: { 200: { description: 'It is saved.', schema: STANDING } },
  handler: async ({ params, body, principal, address }, services) => {
    const name = params.repository;
    services.repositories.config(name);
    await services.lockOut.attempt(address, `recovery key of ${name}`, async () => {
      if ('groups' in body) await services.gate.proveByGroups(name, body.groups, principal.name);
      else await services.gate.proveByKey(name, body.recovery_key, principal.name);
    });
    return { status: 200, body: standingJson(await services.gate.standing(name)) };
  },
});

export const RECOVERY_KEY_ROUTES = [gate, get, reveal, openPgp, ask, saved] as const;
