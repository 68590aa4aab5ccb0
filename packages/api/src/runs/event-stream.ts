import { CairnError, type Clock } from '@cairn/core';
import type { FollowedEvent } from '@cairn/jobs';

import type { StreamSink } from '../http/stream-answer.ts';

/** Milliseconds between two signs of life: proxies end what says nothing for a minute. */
const ALIVE_MS = 15_000;
/** Milliseconds after which a browser asks again when the stream broke off. */
const RETRY_MS = 1_000;

/** Offset of a run's record to go on from: what a browser sends back as `Last-Event-ID`. Rejects with `USAGE`. */
export function offsetOf(lastEventId: string | undefined): number {
  if (lastEventId === undefined || lastEventId === '') return 0;
  if (/^\d{1,15}$/.test(lastEventId)) return Number(lastEventId);
  throw new CairnError('USAGE', 'the header last-event-id is no id that this stream gave');
}

/**
 * The events of a run as server-sent events (HTML standard, section 9.2): the id of each is the offset behind it, so that who was cut
 * off goes on where it was. An event `end` says that there will be no more.
 * @param mayFollow whether the reader still may. A run takes hours, and a token may be revoked meanwhile: the stream then ends without `end`,
 *   and whoever asks again is told.
 */
export async function sendEvents(
  events: AsyncIterable<FollowedEvent>,
  sink: StreamSink,
  clock: Clock,
  mayFollow: () => boolean,
): Promise<void> {
  await sink(Buffer.from(`retry: ${RETRY_MS}\n\n`));
  const following = events[Symbol.asyncIterator]();
  let askedMs = clock.monotonicMs();
  for (let next = following.next(); ;) {
    const found = await withinTime(next, ALIVE_MS);
    if (clock.monotonicMs() - askedMs >= ALIVE_MS) {
      askedMs = clock.monotonicMs();
      if (!mayFollow()) return;
    }
    if (found === undefined) {
      await sink(Buffer.from(': alive\n\n'));
      continue;
    }
    if (found.done === true) break;
    const { offset, event } = found.value;
    await sink(Buffer.from(`id: ${offset}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
    next = following.next();
  }
  await sink(Buffer.from('event: end\ndata: {}\n\n'));
}

/** What the promise gives, or undefined when it takes longer. */
async function withinTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
