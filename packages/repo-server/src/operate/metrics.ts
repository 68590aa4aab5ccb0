import type { HostedRepository } from '../repository/hosted-repository.ts';
import { clientsOf } from '../repository/status.ts';
import type { Counters } from './counters.ts';
import type { ScrubReport } from './scrub.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * The state of one repository in Prometheus' text format (version 0.0.4). Times are seconds since 1970. Freshness is that of a
 * credential: a server without keys cannot see the names of series.
 */
export function metricsText(repository: HostedRepository, counters: Counters, scrub: ScrubReport | undefined): string {
  const { settings, ledger, log } = repository;
  const labels = { repository: settings.name };
  const text = new MetricsText();
  const archives = [...log.decisions.archives.values()];
  text.add('cairn_stored_bytes', 'gauge', 'Bytes of all objects.', labels, ledger.bytes);
  if (settings.quotaBytes !== undefined) {
    text.add('cairn_quota_bytes', 'gauge', 'Bytes that the repository may have.', labels, settings.quotaBytes);
  }
  text.add('cairn_log_entries', 'gauge', 'Entries of the log.', labels, log.seq);
  for (const state of ['live', 'deleted', 'dropped'] as const) {
    const count = archives.filter((archive) => archive.state === state).length;
    text.add('cairn_archives', 'gauge', 'Archives by state.', { ...labels, state }, count);
  }
  const condemned = log.decisions.condemnedPacks.size;
  text.add('cairn_condemned_packs', 'gauge', 'Packs that will be removed unless rescued.', labels, condemned);
  text.add('cairn_ledger_failures', 'gauge', 'Lines that could not be written or read.', labels, ledger.failures);
  for (const { client, bytes, commits, last_commit_ms, last_seen_ms } of clientsOf(repository)) {
    const of = { ...labels, client };
    text.add('cairn_client_bytes', 'gauge', 'Bytes of packs and segments that a client put.', of, bytes);
    text.add('cairn_client_commits_total', 'counter', 'Archives that a client committed.', of, commits);
    text.add(
      'cairn_client_last_seen_seconds',
      'gauge',
      'When a client last changed something.',
      of,
      last_seen_ms / 1000,
    );
    if (last_commit_ms !== null) {
      const help = 'When a client last committed an archive.';
      text.add('cairn_client_last_commit_seconds', 'gauge', help, of, last_commit_ms / 1000);
    }
  }
  if (scrub !== undefined) {
    text.add(
      'cairn_scrub_bad_objects',
      'gauge',
      'Objects whose bytes do not fit their name.',
      labels,
      scrub.bad.length,
    );
    text.add('cairn_scrub_ended_seconds', 'gauge', 'When the last scrub ended.', labels, scrub.endedMs / 1000);
  }
  for (const [key, count] of counters.requests) {
    const [method = '', status = ''] = key.split(' ');
    text.add('cairn_requests_total', 'counter', 'Requests of all repositories.', { method, status }, count);
  }
  text.add('cairn_received_bytes_total', 'counter', 'Bytes of bodies received.', {}, counters.bytesIn);
  text.add('cairn_sent_bytes_total', 'counter', 'Bytes of objects sent.', {}, counters.bytesOut);
  text.add(
    'cairn_refused_credentials_total',
    'counter',
    'Requests without a good credential.',
    {},
    counters.refusedCredentials,
  );
  return text.toString();
}

/** Lines of one metric stand together, below its help. */
class MetricsText {
  private readonly families = new Map<string, string[]>();

  add(name: string, type: 'gauge' | 'counter', help: string, labels: Labels, value: number): void {
    const lines = this.families.get(name) ?? [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
    const shown = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    lines.push(`${name}${shown.length === 0 ? '' : `{${shown.join(',')}}`} ${value}`);
    this.families.set(name, lines);
  }

  toString(): string {
    return [...this.families.values()].map((lines) => `${lines.join('\n')}\n`).join('');
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
