import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { makeApp } from '../src/http/app.ts';
import type { Route } from '../src/http/route.ts';
import { RIGHT_NAMES, rightsOf, ROLES, type Role } from '../src/rights/table.ts';
import { ALL_ROUTES } from '../src/routes/index.ts';
import type { Services } from '../src/services.ts';
import { NOBODY, ScratchPanel, type Caller, type Visitor } from './support/scratch-panel.ts';

/** Milliseconds for hundreds of requests, each of which is written into the audit trail twice, on a disk that others use. */
const WALK_MS = 240_000;

let panel: ScratchPanel;
let admin: Visitor;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  admin = await panel.setUp();
});

afterAll(() => panel.remove());

/** A path with something in place of what is in braces. */
function filled({ path }: Route): string {
  return path.replace('{repository}', 'main').replaceAll(/\{\w+\}/g, 'none');
}

function nameOf({ method, path }: Route): string {
  return `${method} ${path}`;
}

async function statusOf(caller: Caller, route: Route): Promise<number> {
  const controller = new AbortController();
  // A stream that begins is let go again.
  const response = await fetch(`${panel.panel.address}${filled(route)}`, {
    method: route.method,
    headers: caller.headers,
    signal: controller.signal,
  });
  controller.abort();
  return response.status;
}

describe('every route', () => {
  it('is in the list, and nothing else answers', () => {
    const app = makeApp(ALL_ROUTES, { config: {}, environment: panel.environment } as unknown as Services);
    const registered = app.routes.filter(({ path }) => path !== '/*').map(({ method, path }) => `${method} ${path}`);
    const known = new Set(
      ALL_ROUTES.flatMap(({ method, path }) => {
        const written = path.replaceAll(/\{(\w+)\}/g, ':$1');
        return [`${method} ${written}`, `ALL ${written}`];
      }),
    );
    expect(registered.filter((each) => !known.has(each))).toEqual([]);
    expect(new Set(ALL_ROUTES.map(nameOf)).size).toBe(ALL_ROUTES.length);
  });

  it('is public only where nobody can be logged in yet', () => {
    expect(ALL_ROUTES.filter(({ right }) => right === 'public').map(nameOf)).toEqual([
      'GET /api/v1/health',
      'GET /api/v1/openapi.json',
      'GET /api/v1/setup',
      'POST /api/v1/setup',
      'POST /api/v1/session',
    ]);
  });

  it('is open while a key is not saved only where the way through the gate needs it', () => {
    const open = ALL_ROUTES.filter(({ gate, right }) => gate === 'open' && right !== 'public').map(nameOf);
    for (const name of open)
      expect(name).toMatch(/ \/api\/v1\/(?:session|key-gate|repositories\/\{repository\}\/recovery-key(?:\/\w+)?)$/);
  });

  it('asks who it is', async () => {
    for (const route of ALL_ROUTES.filter(({ right }) => right !== 'public')) {
      expect(await statusOf(NOBODY, route), nameOf(route)).toBe(401);
      const wrong = { headers: { authorization: `Bearer cairn_${'x'.repeat(43)}` } };
      expect(await statusOf(wrong, route), nameOf(route)).toBe(401);
    }
  });

  it('answers 423 while the gate is closed, whoever asks and whatever for', async () => {
    const { headers } = admin;
    for (const route of ALL_ROUTES.filter(({ gate }) => gate === 'closed')) {
      expect(await statusOf({ headers }, route), nameOf(route)).toBe(423);
    }
  });

  it(
    'gives each role what the table says, and refuses the rest',
    async () => {
      await panel.openGate(admin);
      for (const role of ROLES) {
        const visitor = await panel.account(admin, role);
        const token = await panel.token(visitor, rightsOf(role));
        for (const route of ALL_ROUTES.filter(({ right, path }) => right !== 'public' && path !== '/api/v1/session')) {
          const caller = route.only === 'session' ? visitor : token;
          const allowed = route.right === 'public' || (rightsOf(role) as readonly string[]).includes(route.right);
          const status = await statusOf(caller, route);
          if (allowed) expect(status, `${role} ${nameOf(route)}`).not.toBe(403);
          else expect(status, `${role} ${nameOf(route)}`).toBe(403);
          expect(status, `${role} ${nameOf(route)}`).toBeLessThan(500);
          if (route.only === 'session') expect(await statusOf(token, route), nameOf(route)).toBe(403);
        }
      }
    },
    WALK_MS,
  );

  it(
    'gives a token no more than the rights it was made with',
    async () => {
      const visitor = await panel.account(admin, 'admin');
      for (const right of RIGHT_NAMES) {
        const token = await panel.token(visitor, [right]);
        for (const route of ALL_ROUTES.filter(
          (each) => each.right !== 'public' && each.only === undefined && each.right !== right,
        )) {
          expect(await statusOf(token, route), `${right} ${nameOf(route)}`).toBe(403);
        }
      }
    },
    WALK_MS,
  );

  it('knows repositories of others only as ones that are not there', async () => {
    const visitor = await panel.account(admin, 'admin', { repositories: ['other'] });
    for (const route of ALL_ROUTES.filter(({ path }) => path.includes('{repository}'))) {
      expect(await statusOf(visitor, route), nameOf(route)).toBe(404);
    }
  });
});

describe('the table of rights', () => {
  it('gives an admin all, and a viewer nothing that changes anything', () => {
    const all: readonly string[] = RIGHT_NAMES;
    expect(rightsOf('admin')).toEqual(all);
    const reading = (role: Role): boolean =>
      rightsOf(role).every((right) => right === 'self' || right.endsWith(':read'));
    expect(reading('viewer')).toBe(true);
    expect(reading('operator')).toBe(false);
  });
});
