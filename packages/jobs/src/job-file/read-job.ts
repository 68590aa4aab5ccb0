import { CairnError, systemErrorCode } from '@cairn/core';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse, TomlError } from 'smol-toml';

import { JOB_NAME } from '../runs/run-id.ts';
import { lineOf, type ValuePath } from './locate.ts';
import { jobFileSchema, type JobDefinition } from './schema.ts';

/** A job that was read, and what it was read from. */
export interface JobFile extends JobDefinition {
  readonly name: string;
  /** The file; undefined when it came from elsewhere. */
  readonly file: string | undefined;
}

/** Something that is wrong with a job file. */
export interface JobProblem {
  /** From 1; undefined when it is the whole file. */
  readonly line: number | undefined;
  /** As TOML writes it: `backup.sources[2]`; empty for the whole file. */
  readonly place: string;
  readonly message: string;
}

/** A job file that was looked at: the job, or all that is wrong with it. */
export type ExaminedJob = { readonly job: JobFile } | { readonly problems: readonly JobProblem[] };

const MOST_BYTES = 1024 * 1024;

/** Reads the job file at a path. Rejects with `NOT_FOUND` when there is none, and with `USAGE` naming the line that is wrong. */
export async function readJobFile(path: string): Promise<JobFile> {
  return jobOf(path, await readJobText(path), nameOfFile(path));
}

/** The text of a job file. Rejects like `readJobFile`. */
export async function readJobText(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MOST_BYTES) throw new CairnError('LIMIT_EXCEEDED', `${path} is too long for a job file`);
    return bytes.toString('utf8');
  } catch (cause) {
    if (cause instanceof CairnError) throw cause;
    const code = systemErrorCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new CairnError('NOT_FOUND', `there is no job file ${path}`, { hint: 'See `cairn job list`.', cause });
    }
    throw new CairnError('USAGE', `cannot read the job file ${path}: ${code ?? String(cause)}`, {
      hint: 'Check its permissions.',
      cause,
    });
  }
}

/** The job in a text that is no file. Rejects with `USAGE`. */
export function parseJobText(text: string, otherwiseName: string): JobFile {
  return jobOf(undefined, text, otherwiseName);
}

/** The name of the job in a file of that name. */
export function nameOfFile(path: string): string {
  return basename(path).replace(/\.toml$/, '');
}

/** Looks at the text of a job file and tells all that is wrong. @param fileName name of the job unless the text has one. */
export function examineJob(text: string, fileName: string, file?: string): ExaminedJob {
  let values: unknown;
  try {
    values = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.split('\n');
    return { problems: [{ line: error.line, place: '', message: reason.replace(/^Invalid TOML document: /, '') }] };
  }
  const { success, data, error } = jobFileSchema.safeParse(values);
  if (!success) {
    const problems = error.issues.flatMap((issue) => problemsOf(text, issue));
    // As one reads the file; what is missing has no line.
    return { problems: problems.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity) || 0) };
  }
  if (data.name !== undefined && file !== undefined && data.name !== fileName) {
    const message = `is ${JSON.stringify(data.name)}, but the file is called ${fileName}.toml: they must be the same`;
    return { problems: [{ line: lineOf(text, ['name']), place: 'name', message }] };
  }
  const name = data.name ?? fileName;
  if (!JOB_NAME.test(name)) {
    const message = `${JSON.stringify(name)} is no name of a job: small letters, digits and hyphens, 63 at most`;
    return { problems: [{ line: undefined, place: '', message }] };
  }
  return { job: { ...data, name, file } };
}

function jobOf(file: string | undefined, text: string, fileName: string): JobFile {
  const examined = examineJob(text, fileName, file);
  if ('job' in examined) return examined.job;
  const [first, ...more] = examined.problems;
  const others = more.length === 0 ? '' : ` There is more that is wrong: ${more.length}.`;
  throw new CairnError('USAGE', `${file ?? 'the job'}${first === undefined ? '' : `, ${problemText(first)}`}`, {
    hint: `docs/reference/job-file.md shows what may stand there; \`cairn job validate\` tells all.${others}`,
  });
}

/** `line 3: backup.sources: expected …`. */
export function problemText({ line, place, message }: JobProblem): string {
  return [line === undefined ? '' : `line ${line}`, place, message].filter((part) => part !== '').join(': ');
}

interface Issue {
  readonly code: string;
  readonly path: ValuePath;
  readonly message: string;
  readonly keys?: readonly string[];
}

function problemsOf(text: string, issue: Issue): JobProblem[] {
  if (issue.code !== 'unrecognized_keys') {
    const message = issue.message.replace(/^Invalid input: /, '');
    return [{ line: lineOf(text, issue.path), place: placeText(issue.path), message }];
  }
  return (issue.keys ?? []).map((key) => {
    const path = [...issue.path, key];
    return { line: lineOf(text, path), place: placeText(path), message: 'is nothing that can be set' };
  });
}

function placeText(path: ValuePath): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at === 0 ? '' : '.'}${String(part)}`))
    .join('');
}
