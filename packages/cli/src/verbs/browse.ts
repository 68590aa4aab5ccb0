import { CairnError, systemEnvironment, systemErrorCode, type ObjectStore } from '@cairn/core';

import type { Context } from '../context.ts';
import { withFetchedPacks } from '../mounting/fetched-packs.ts';
import { withRepository, type OpenedRepository } from '../open-repository.ts';
import { count } from '../option-values.ts';
import type { Verb } from '../verb.ts';

interface BrowseOptions {
  readonly host?: string;
  readonly port?: number;
  readonly password?: boolean;
}

const LOOPBACK = '127.0.0.1';
/** Names of a loopback address that browsers use. */
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const LAST_PORT = 65_535;
/** Bytes of randomness in the password: 128 bits. */
const PASSWORD_BYTES = 16;

export const browse: Verb = {
  define(command) {
    command
      .description(
        'Show an archive, or the whole repository, to a browser or a file manager (HTTP and WebDAV, read-only), until Ctrl-C. ' +
          'Only this machine reaches it, with the password that is printed.',
      )
      .argument('[archive]', 'name, id, the beginning of one, `latest` or `SERIES@latest`; all when none is given')
      .option('--port <number>', 'port to listen at (default: any that is free)', count(1, LAST_PORT))
      .option('--host <address>', `address to listen at (default: ${LOOPBACK}); others can be reached by others`)
      .option('--no-password', 'answer whoever asks')
      .addHelpText('after', '\nExample:\n  cairn browse -r /backup/repo latest --port 8080');
  },

  async run(context, { operands, options }) {
    const [ref] = operands;
    const { host = LOOPBACK, port = 0, password: wanted } = options as BrowseOptions;
    const { browse: serve, showArchives } = await import('@cairn/fuse');
    const onProblem = (text: string): void => context.messages.warn(text);
    const wrap = async (store: ObjectStore): Promise<ObjectStore> => await withFetchedPacks(context, store);
    const serveAll = async ({ repository }: OpenedRepository): Promise<void> => {
      const archive = ref === undefined ? undefined : repository.archive(ref);
      const threads = context.settings.count('threads');
      await using reader = await repository.reader(threads === undefined ? {} : { threads });
      const fileSystem = showArchives(repository, reader, archive, { onProblem });
      const random = Buffer.from(systemEnvironment.random.bytes(PASSWORD_BYTES)).toString('base64url');
      const password = wanted === false ? {} : { password: random };
      const hosts = [...LOOPBACK_NAMES, host];
      const request = { fileSystem, host, port, hosts, onProblem, exporter: repository, ...password };
      await using browsing = await serve(request).catch(cannotListen);
      const user = wanted === false ? '' : `cairn:${random}@`;
      await tell(context, `http://${user}${host.includes(':') ? `[${host}]` : host}:${browsing.port}/`);
      if (!LOOPBACK_NAMES.includes(host))
        context.messages.warn(`others can reach ${host}; what they read is not encrypted`);
      await stopped(context.signal);
    };
    await withRepository(context, serveAll, { wrap });
  },
};

async function tell({ json, output, messages }: Context, url: string): Promise<void> {
  await output.line(json ? JSON.stringify({ url, pid: process.pid }) : url);
  await output.flush();
  messages.info('Open this address in a browser or as WebDAV in a file manager. Ctrl-C ends it.');
}

function cannotListen(error: unknown): never {
  const code = systemErrorCode(error);
  if (code === undefined) throw error;
  throw new CairnError('HOST_UNSUPPORTED', `cannot listen: ${code}`, {
    hint: 'Choose another --port, or an address of this machine with --host.',
    cause: error,
  });
}

async function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
