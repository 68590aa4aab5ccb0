import {
  CairnError,
  isObjectName,
  LIMITS,
  listingLine,
  OBJECT_KINDS,
  PAGE_END,
  type ObjectKey,
  type ObjectKind,
} from '@cairn/core/server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type Context } from 'hono';

import type { Counters } from '../operate/counters.ts';
import { objectHeaders, sendObject, wantedRange } from './download.ts';
import type { AppEnvironment } from './environment.ts';
import { announcedBytes, takeUpload } from './upload.ts';

/** The routes of objects: get, list, put and delete, for whatever host the credential leads to. */
export function objectRoutes(
  counters: Counters,
  windowMs: number,
  report: (error: unknown) => void,
): Hono<AppEnvironment> {
  const routes = new Hono<AppEnvironment>();

  routes.get('/:kind', async (context) => {
    const kind = kindOf(context.req.param('kind'));
    const after = context.req.query('after') ?? '';
    if (after !== '' && !isObjectName(kind, after))
      throw new CairnError('USAGE', 'a page follows the name of an object');
    const { host } = context.get('principal');
    return context.body(await pageOf(host.list(kind, after)), 200, {
      'content-type': 'text/plain; charset=us-ascii',
      'cache-control': 'no-store',
    });
  });

  // A HEAD comes here too: Hono hands it to the route of GET, and leaves out the body of what is returned.
  routes.get('/:kind/:name', async (context) => {
    const object = await context.get('principal').host.open(keyOf(context));
    try {
      const range = wantedRange(context.req.header('range'), object);
      if (context.req.method === 'HEAD') return context.body(null, 200, objectHeaders(object, undefined));
      await sendObject(context.env.outgoing, object, range, (bytes) => (counters.bytesOut += bytes));
      return RESPONSE_ALREADY_SENT;
    } catch (error) {
      if (!context.env.outgoing.headersSent) throw error;
      report(error);
      return RESPONSE_ALREADY_SENT;
    } finally {
      await object[Symbol.asyncDispose]();
    }
  });

  routes.put('/:kind/:name', async (context) => {
    const key = keyOf(context);
    const sizeBytes = announcedBytes(context.req.header('content-length'));
    const { host } = context.get('principal');
    const took = (bytes: number): void => void (counters.bytesIn += bytes);
    await takeUpload(host, key, context.env.incoming, sizeBytes, { took, windowMs });
    return context.body(null, 201);
  });

  routes.delete('/:kind/:name', async (context) => {
    await context.get('principal').host.remove(keyOf(context));
    return context.body(null, 204);
  });

  return routes;
}

function kindOf(kind: string): ObjectKind {
  const known = OBJECT_KINDS.find((one) => one === kind);
  if (known === undefined) throw new CairnError('USAGE', 'that is no kind of object');
  return known;
}

/** Only what the format allows is a name: no path of the file system can be made of it. */
function keyOf(context: Context<AppEnvironment, '/:kind/:name'>): ObjectKey {
  const kind = kindOf(context.req.param('kind'));
  const name = context.req.param('name');
  if (!isObjectName(kind, name)) throw new CairnError('USAGE', 'that is no name of an object');
  return { kind, name };
}

/** One page, and whether more follow. A listing that fails half way is an error, and never a short page. */
async function pageOf(infos: ReturnType<AppEnvironment['Variables']['principal']['host']['list']>): Promise<string> {
  const lines: string[] = [];
  for await (const info of infos) {
    if (lines.length === LIMITS.wirePageObjects) return `${lines.join('')}${PAGE_END.more}\n`;
    lines.push(listingLine(info));
  }
  return `${lines.join('')}${PAGE_END.last}\n`;
}
