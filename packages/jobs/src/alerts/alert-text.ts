import type { AlertFacts } from './alert-event.ts';
import type { AlertEvent } from './alert-schema.ts';

const WORDS: Readonly<Record<AlertEvent, string>> = {
  failure: 'FAILED',
  warning: 'warnings',
  success: 'success',
  recovered: 'recovered',
  missed: 'MISSED',
};

/** Characters of the log in the text of a mail: the last ones, which tell how it ended. */
const INLINE_CHARACTERS = 4_000;

/** One line: how it ended comes first, since lists of mails are narrow. */
export function subjectOf(event: AlertEvent, { job, host }: Pick<AlertFacts, 'job' | 'host'>): string {
  return oneLine(`[Cairn] ${WORDS[event]}: ${job} on ${host}`);
}

/** What happened, in plain text. */
export function bodyOf(event: AlertEvent, facts: AlertFacts): string {
  const { job, host, outcome, dueAt, log } = facts;
  if (outcome === undefined) {
    const when = dueAt === undefined ? '' : ` It was due at ${dueAt}.`;
    return `The job ${job} on ${host} did not run.${when}\n\nStart it by hand: cairn run ${job}\n`;
  }
  const bad = outcome.steps.filter(({ status }) => status !== 0);
  const lines = [
    `The job ${job} on ${host} ended: ${outcome.status}${event === 'recovered' ? ', after a run that failed' : ''}.`,
    '',
    `run:      ${outcome.run}`,
    ...(outcome.archive === undefined ? ['archive:  none'] : [`archive:  ${outcome.archive}`]),
    `took:     ${Math.round(outcome.seconds)} s`,
    ...Object.entries(outcome.figures).map(([name, value]) => `${`${name}:`.padEnd(10)}${value}`),
    '',
    ...(bad.length === 0
      ? []
      : ['What failed:', ...bad.map(({ step, error }) => `  ${step}: ${error?.message ?? 'failed'}`), '']),
  ];
  const tail = tailOf(log, INLINE_CHARACTERS);
  return `${lines.join('\n')}${tail === '' ? '' : `\nThe end of the log:\n\n${tail}\n`}`;
}

/** The last whole lines of a text. */
export function tailOf(text: string, characters: number): string {
  if (text.length <= characters) return text.trimEnd();
  const tail = text.slice(-characters);
  return `…\n${tail.slice(tail.indexOf('\n') + 1).trimEnd()}`;
}

/** Without line breaks and other control characters. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
