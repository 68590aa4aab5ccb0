import { CairnError, contentRange, LIMITS, parseRange, type ByteRange, type StoredObject } from '@cairn/core/server';
import type { ServerResponse } from 'node:http';

/** What of an object is asked for. Rejects with `OBJECT_MISSING` (416) when it does not reach so far. */
export function wantedRange(header: string | undefined, object: StoredObject): ByteRange | undefined {
  if (header === undefined) return undefined;
  const range = parseRange(header);
  if (range === undefined) throw new CairnError('USAGE', 'a range must be written as bytes=FIRST-LAST');
  if (range.offset + range.length <= object.sizeBytes) return range;
  throw new CairnError('OBJECT_MISSING', `the object is too short: it has ${object.sizeBytes} bytes`, {
    hint: 'Run `cairn check` to learn what is affected.',
    details: { http: 416 },
  });
}

export function objectHeaders(object: StoredObject, range: ByteRange | undefined): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': String(range?.length ?? object.sizeBytes),
    'accept-ranges': 'bytes',
    // Objects never change, but only their reader may have them.
    'cache-control': 'private, no-store',
    ...(range === undefined ? {} : { 'content-range': contentRange(range, object.sizeBytes) }),
  };
}

/**
 * Sends an object, or a range of it, in pieces, as fast as the reader takes them. When reading fails half way the connection is
 * cut: what was sent must not look whole.
 */
export async function sendObject(
  outgoing: ServerResponse,
  object: StoredObject,
  range: ByteRange | undefined,
  sent: (bytes: number) => void,
): Promise<void> {
  const { offset, length } = range ?? { offset: 0, length: object.sizeBytes };
  let gone = false;
  const closed = new Promise<void>((resolve) => {
    outgoing.once('close', () => {
      gone = true;
      resolve();
    });
  });
  outgoing.writeHead(range === undefined ? 200 : 206, objectHeaders(object, range));
  try {
    for (let done = 0; done < length && !gone;) {
      const piece = await object.read(offset + done, Math.min(LIMITS.serverBufferBytes, length - done));
      done += piece.length;
      sent(piece.length);
      if (outgoing.write(piece)) continue;
      const drained = new Promise<void>((resolve) => void outgoing.once('drain', resolve));
      await Promise.race([drained, closed]);
    }
    if (!gone) outgoing.end();
    await closed;
  } catch (error) {
    outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}
