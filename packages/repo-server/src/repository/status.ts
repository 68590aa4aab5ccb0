import { mayDo } from '../roles.ts';
import type { Client } from '../clients/client.ts';
import type { HostedRepository } from './hosted-repository.ts';

/** What one credential did, as the status shows it. A server without keys cannot see series; it sees who commits. */
export interface ClientStatus {
  readonly client: string;
  readonly bytes: number;
  readonly objects: number;
  readonly commits: number;
  /** Milliseconds since 1970; null when there was none. */
  readonly last_commit_ms: number | null;
  readonly last_seen_ms: number;
}

/** The status of a repository as JSON. Numbers of other clients are shown to those who may not add. */
export function statusOf(repository: HostedRepository, client: Client): object {
  const { log, ledger, settings } = repository;
  const archives = [...log.decisions.archives.values()];
  const all = !mayDo(client.role, 'put packs', false) || client.role === 'maintain';
  return {
    repository: settings.name,
    client: client.name,
    role: client.role,
    now_ms: log.nowMs(),
    log_entries: log.seq,
    bytes: ledger.bytes,
    quota_bytes: settings.quotaBytes ?? null,
    client_quota_bytes: client.quotaBytes ?? null,
    grace_ms: settings.floors.graceMs,
    archives: {
      live: archives.filter(({ state }) => state === 'live').length,
      deleted: archives.filter(({ state }) => state === 'deleted').length,
    },
    last_commit_ms: archives.at(-1)?.receivedMs ?? null,
    condemned_packs: log.decisions.condemnedPacks.size,
    clients: clientsOf(repository).filter((one) => all || one.client === client.name),
  };
}

export function clientsOf({ ledger }: HostedRepository): ClientStatus[] {
  return [...ledger.clients].map(([client, use]) => ({
    client,
    bytes: use.bytes,
    objects: use.objects,
    commits: use.commits,
    last_commit_ms: use.lastCommitMs ?? null,
    last_seen_ms: use.lastSeenMs,
  }));
}
