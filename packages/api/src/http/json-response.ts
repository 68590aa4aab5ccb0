import { minorCollector } from '@cairn/core';

/** Bytes of answers after which what was sent is freed: they lie outside of the heap, so that the collector comes to them late. */
const COLLECT_BYTES = 4 * 1024 * 1024;
let collect: (() => void) | undefined;
let answeredBytes = 0;

/** A JSON answer that was put together as bytes. */
export function jsonResponse(body: Uint8Array): Response {
  answeredBytes += body.length;
  if (answeredBytes >= COLLECT_BYTES) {
    answeredBytes = 0;
    (collect ??= minorCollector())();
  }
  return new Response(body as Uint8Array<ArrayBuffer>, {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}
