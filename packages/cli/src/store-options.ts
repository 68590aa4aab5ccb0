import { CairnError, type OpenStoreOptions, type RetryNotice } from '@cairn/core';

import type { Context } from './context.ts';
import { formatDuration, parseDuration, parseSize } from './output/format.ts';
import type { TextName } from './settings/table.ts';

/** Many calls fail at once when a connection does; one line tells it. */
const QUIET_MS = 5_000;

/** How the store is to be opened, by the settings. Rejects with `USAGE` for a rate or time that is none. */
export function storeOptionsOf(context: Pick<Context, 'settings' | 'variables' | 'messages'>): OpenStoreOptions {
  const { settings, variables } = context;
  const credentialsFile = settings.text('credentials-file');
  const uploadBytesPerS = rateOf(context, 'limit-upload');
  const downloadBytesPerS = rateOf(context, 'limit-download');
  const retryForMs = timeOf(context, 'retry-for');
  return {
    variables,
    onRetry: retryTeller(context),
    ...(credentialsFile === undefined ? {} : { credentialsFile }),
    ...(uploadBytesPerS === undefined ? {} : { uploadBytesPerS }),
    ...(downloadBytesPerS === undefined ? {} : { downloadBytesPerS }),
    ...(retryForMs === undefined ? {} : { retryForMs }),
  };
}

function rateOf({ settings }: Pick<Context, 'settings'>, name: TextName): number | undefined {
  const text = settings.text(name);
  const rate = text === undefined ? undefined : parseSize(text.replace(/\/s$/, ''));
  if (text === undefined || (rate !== undefined && rate > 0)) return rate;
  throw new CairnError('USAGE', `${JSON.stringify(text)} is no rate for ${name}`, {
    hint: 'Write bytes per second, or a number with K, M or G behind it.',
  });
}

function timeOf({ settings }: Pick<Context, 'settings'>, name: TextName): number | undefined {
  const text = settings.text(name);
  const ms = text === undefined ? undefined : parseDuration(text);
  if (text === undefined || ms !== undefined) return ms;
  throw new CairnError('USAGE', `${JSON.stringify(text)} is no time for ${name}`, {
    hint: 'Write seconds, or a number with s, m or h behind it.',
  });
}

function retryTeller({ messages }: Pick<Context, 'messages'>): (notice: RetryNotice) => void {
  let toldMs = -Infinity;
  return ({ error, delayMs }) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < QUIET_MS) return;
    toldMs = nowMs;
    messages.warn(`${error.message}; trying again in ${formatDuration(delayMs)}`);
  };
}
