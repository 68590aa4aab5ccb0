/** Bytes at each end that are kept: all marks are nearer to it than that. */
const KEPT_BYTES = 4_096;

/** The first and the last bytes of a stream, and how many there were. */
export class OutputEnds {
  length = 0;
  head = Buffer.alloc(0);
  tail = Buffer.alloc(0);

  add(piece: Uint8Array): void {
    this.length += piece.length;
    if (this.head.length < KEPT_BYTES) {
      this.head = Buffer.concat([this.head, piece.subarray(0, KEPT_BYTES - this.head.length)]);
    }
    if (piece.length >= KEPT_BYTES) this.tail = Buffer.from(piece.subarray(-KEPT_BYTES));
    else this.tail = Buffer.concat([this.tail, piece]).subarray(-KEPT_BYTES);
  }
}

/** Says why the output of a program is not whole; undefined when it is. */
export type OutputCheck = (ends: OutputEnds) => string | undefined;

/** The end must hold this text, which the program writes when it has written all else. */
export function endsWithMark(mark: string): OutputCheck {
  return ({ tail }) => (tail.includes(mark) ? undefined : `its output is cut off: \`${mark}\` is missing at the end`);
}

/** The magic number of pg_dump's custom format (pg_backup_archiver.c, ReadHead). The format has no mark at its end. */
export const isCustomFormat: OutputCheck = ({ head }) =>
  head.subarray(0, 5).toString('latin1') === 'PGDMP' ? undefined : 'its output is no dump in the custom format';

/** Magic number and terminator of mongodump's archive format (mongo-tools, common/archive/archive.go), little-endian. */
const MONGO_MAGIC = Buffer.from([0x6d, 0xe2, 0x99, 0x81]);
const MONGO_TERMINATOR = Buffer.from([0xff, 0xff, 0xff, 0xff]);

export const isMongoArchive: OutputCheck = ({ head, tail }) => {
  if (!head.subarray(0, 4).equals(MONGO_MAGIC)) return 'its output is no archive of mongodump';
  return tail.subarray(-4).equals(MONGO_TERMINATOR) ? undefined : 'its output is cut off: the archive is not closed';
};

/** slapcat ends each entry with an empty line (ldif(5)). A database without entries gives nothing. */
export const isWholeLdif: OutputCheck = ({ length, head, tail }) => {
  if (length === 0) return undefined;
  if (!head.subarray(0, 3).toString('latin1').startsWith('dn:')) return 'its output is no LDIF';
  return tail.subarray(-2).toString('latin1') === '\n\n' ? undefined : 'its output is cut off within an entry';
};

/** The text that each SQLite database begins with (sqlite.org/fileformat.html, 1.3). */
const SQLITE_MAGIC = 'SQLite format 3\0';

export const isSqliteDatabase: OutputCheck = ({ length, head }) => {
  // A database that nothing was ever written to is an empty file.
  if (length === 0 || head.subarray(0, 16).toString('latin1') === SQLITE_MAGIC) return undefined;
  return 'its output is no SQLite database';
};

export const anyOutput: OutputCheck = () => undefined;
