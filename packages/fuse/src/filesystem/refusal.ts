/** Names of system errors that this file system answers with (errno(3)). */
export type RefusalCode =
  | 'EACCES'
  | 'EINVAL'
  | 'EIO'
  | 'EISDIR'
  | 'ENAMETOOLONG'
  | 'ENODATA'
  | 'ENOENT'
  | 'ENOTDIR'
  | 'ENXIO'
  | 'EOVERFLOW'
  | 'ESTALE';

/** What a program that looks at the file system is told: a system error, nothing more. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode) {
    super(code);
    this.code = code;
  }
}
