import { lstat, mkdir, readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CairnError, systemErrorCode } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { syncFolder } from './durable-file.ts';
import { throwStoreError } from './file-errors.ts';

/** Where unfinished puts lie. On the file system of the objects, because a hard link cannot leave it. */
export const TEMP_FOLDER = 'tmp';

const KIND_FOLDERS = ['keys', 'packs', 'index', 'log'] as const satisfies readonly ObjectKind[];

/** A new file system has this folder at its top, and a store may be a whole file system. */
const HARMLESS_NAME = 'lost+found';

/** Only the owner: sizes and times of objects tell something even though the content is sealed. */
const FOLDER_MODE = 0o700;

/** The folder that must be there while the store is: for `config` any of them will do. */
export function kindFolder(root: string, kind: ObjectKind): string {
  return join(root, kind === 'config' ? 'log' : kind);
}

/** Packs are spread over 256 folders by the first two digits of their name: large folders are slow in many tools. */
export function objectPath(root: string, { kind, name }: ObjectKey): string {
  if (kind === 'config') return join(root, name);
  if (kind === 'packs') return join(root, kind, name.slice(0, 2), name);
  return join(root, kind, name);
}

/**
 * Makes the folders of a store, durable, and gives its real path. `path` itself is made when absent; its parent is not,
 * so that a disk that is not mounted is noticed. What a `createLayout` that was cut short left is completed.
 *
 * Rejects with `REPOSITORY_EXISTS` when there is a `config`, with `USAGE` when anything else is there.
 */
export async function createLayout(path: string): Promise<string> {
  try {
    const { root, isNew } = await makeRoot(path);
    await assertUnused(root);
    for (const folder of [...KIND_FOLDERS, TEMP_FOLDER]) await makeFolder(join(root, folder));
    await syncFolder(root);
    if (isNew) await syncFolder(dirname(root));
    return root;
  } catch (error) {
    return throwStoreError(error, `make a repository in ${path}`);
  }
}

async function makeRoot(path: string): Promise<{ root: string; isNew: boolean }> {
  try {
    const isNew = await makeFolder(path);
    return { root: await realpath(path), isNew };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw new CairnError('USAGE', `the folder above ${path} does not exist`, {
      hint: 'Make it first, or mount the disk that it is on.',
      cause: error,
    });
  }
}

/** False when the name was taken, by whatever: what is there shows by the next use of it. Rejects with a system error. */
export async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
    return true;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return false;
  }
}

async function assertUnused(root: string): Promise<void> {
  const names = await readRoot(root);
  if (names.includes('config')) {
    throw new CairnError('REPOSITORY_EXISTS', `there is a repository in ${root} already`, {
      hint: 'Use it, or choose another place.',
    });
  }
  for (const name of names) {
    if (name === HARMLESS_NAME) continue;
    const ours = (KIND_FOLDERS as readonly string[]).includes(name);
    if ((ours || name === TEMP_FOLDER) && (await isFolder(join(root, name)))) {
      if (name === TEMP_FOLDER || (await readdir(join(root, name))).length === 0) continue;
    }
    throw new CairnError('USAGE', `the directory ${root} is not empty: it has ${JSON.stringify(name)}`, {
      hint: ours
        ? 'If this is a repository whose `config` got lost, put that back; else choose an empty directory.'
        : 'Choose an empty directory, or a name that does not exist.',
    });
  }
}

async function readRoot(root: string): Promise<string[]> {
  try {
    return await readdir(root);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOTDIR') throw error;
    throw new CairnError('USAGE', `${root} is not a directory`, { hint: 'Choose another place.', cause: error });
  }
}

/**
 * The real path of the store at `path`. Rejects with `REPOSITORY_MISSING` when there is none, and with `STORE_FAILED`
 * when some of its folders are absent.
 */
export async function openLayout(path: string): Promise<string> {
  try {
    const root = await realpath(path);
    const absent: string[] = [];
    for (const folder of KIND_FOLDERS) if (!(await isFolder(join(root, folder)))) absent.push(folder);
    if (absent.length === KIND_FOLDERS.length) throw repositoryMissing(path);
    if (absent.length > 0) {
      throw new CairnError('STORE_FAILED', `the repository in ${root} lacks its folder ${absent.join(', ')}`, {
        hint: 'If a copy left out empty folders, make them again (mode 0700); else bring them back from a copy.',
      });
    }
    return root;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw repositoryMissing(path, error);
    return throwStoreError(error, `open the repository in ${path}`);
  }
}

function repositoryMissing(path: string, cause?: unknown): CairnError {
  return new CairnError('REPOSITORY_MISSING', `there is no repository in ${path}`, {
    hint: 'Check the path and that its disk is mounted; `cairn init` makes a new repository.',
    cause,
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Rejects with `STORE_FAILED` when the folder is gone: the disk was unmounted, or somebody moved the store. Asked before
 * an ENOENT is taken for the absence of an object.
 */
export async function assertFolderPresent(path: string): Promise<void> {
  if (await isFolder(path)) return;
  throw new CairnError('STORE_FAILED', `the folder ${path} is gone`, {
    hint: 'Check that the disk of the store is mounted, then run the command again.',
  });
}

/**
 * Makes the folder for temporary files when a copy of the store left it out, as copies do with empty folders.
 * Rejects like `put`.
 */
export async function ensureTempFolder(root: string): Promise<void> {
  const folder = join(root, TEMP_FOLDER);
  try {
    if (!(await isFolder(folder))) await makeFolder(folder);
  } catch (error) {
    throwStoreError(error, `make the folder ${folder}`);
  }
}
