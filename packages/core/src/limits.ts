/**
 * Every bound of the format and of the program, each with its unit and its reason. Parsers refuse what lies beyond.
 * `docs/design/format.md`, section Limits, shows the same numbers.
 */
const KiB = 1024;
const MiB = 1024 * KiB;

/** Bounds of the format, of the protocol and of what is read. */
export const LIMITS = {
  /** Bytes of plaintext in one chunk: the chunker's ceiling for file data. */
  chunkBytes: 8 * MiB,
  /** Least `min` of a chunker: smaller chunks cost more in records than they save, and `config` could ask for one a byte. */
  chunkerMinBytes: 1 * KiB,
  /** Bytes that sealing adds to a payload: nonce 12, codec 1, length 4, tag 16. */
  sealOverheadBytes: 33,
  /** Bytes of a whole pack object. One chunk above the largest target still fits. */
  packBytes: 64 * MiB,
  /** Chunks in one pack: bounds the sealed header to 3.1 MB. */
  packChunks: 65_536,
  /** Sessions in one pack: a fresh pack has 1; compaction gathers more. 10 bits in the index in memory. */
  packSessions: 1_024,
  /** Bytes of an index segment, plaintext. */
  indexBytes: 16 * MiB,
  /** Bytes of one log entry, whole object. A CONDEMN of 30,000 packs still fits. */
  logEntryBytes: 4 * MiB,
  /** Bytes of the `config` object. */
  configBytes: 64 * KiB,
  /** Bytes of one key slot object or key file text. */
  keyFileBytes: 256 * KiB,
  /** Bytes that a passphrase may have, with room for what editors put behind it. */
  passphraseBytes: 4 * KiB,
  /** Bytes of one tree entry without its length prefix. 64 KiB × 16 of xattrs and the rest. */
  treeEntryBytes: 2 * MiB,
  /** Bytes of a name in a directory: Linux NAME_MAX (linux/limits.h). */
  nameBytes: 255,
  /** Bytes of a symlink target: Linux PATH_MAX − 1 (linux/limits.h). */
  linkTargetBytes: 4_095,
  /** Bytes of one xattr value: Linux XATTR_SIZE_MAX (linux/limits.h). */
  xattrValueBytes: 64 * KiB,
  /** Bytes of all xattr names and values of one entry. */
  xattrTotalBytes: 1 * MiB,
  /** Holes kept for one sparse file; the smallest are stored as zeros beyond that. */
  holes: 4_096,
  /** Levels of directories: the walk holds one descriptor per level. */
  treeDepth: 4_096,
  /** Chunk references in an entry before a chunk list is made. */
  directReferences: 64,
  /** Records in one chunk list: 16,384 × 40 bytes = 640 KiB. */
  chunkListRecords: 16_384,
  /** Levels of chunk lists: 64 × 4096³ chunks is beyond any file system. */
  chunkListLevels: 4,
  /** Bytes of an archive's comment: it is in memory for each archive of a repository. */
  commentBytes: 16 * KiB,
  /** Bytes of one tag. */
  tagBytes: 255,
  /** Tags of one archive. */
  tags: 100,
  /** Bytes of one extended header of a tar stream that is imported: the xattrs of an entry, and its names. */
  tarHeaderBytes: 2 * MiB,
  /** Ranges of data of one sparse member: 4 KiB of data in each block of 8 KiB of a file of 8 GiB. */
  tarSparseRanges: 1_048_576,
  /** Bytes of zeros stored for holes beyond `holes`: a map of a few kilobytes could ask for any number. */
  tarZeroBytes: 16 * 1024 * MiB,
  /** Entries of a tar stream: their tree is in memory until the end, at about 300 bytes each. */
  tarMembers: 16_777_216,
  /** Objects of one kind in a listing: 16 million packs hold 256 TiB. A server could otherwise list without end. */
  listedObjects: 16_777_216,
  /** Nesting of MessagePack arrays. */
  msgpackDepth: 16,
  /** Items in one MessagePack value. */
  msgpackItems: 1_000_000,
  /** Bytes of an error that a server answers with: a message, a hint and their frame. */
  wireErrorBytes: 16 * KiB,
  /** Objects in one page of a listing: a line is about 100 bytes, so a page is 1 MB. */
  wirePageObjects: 10_000,
  /** Bytes of one page of a listing. */
  wirePageBytes: 2 * MiB,
  /** Requests in flight on one connection; more wait in the client. */
  wireRequests: 64,
  /** Bytes under way to a reader on one connection before they are taken: 160 MB/s at 100 ms there and back. */
  wireWindowBytes: 16 * MiB,
  /**
   * Milliseconds after which a request is given up in which no answer began, and neither `wireSlowBytes` of it came nor a piece of the
   * body went. A put waits for the disk meanwhile.
   */
  wireSilenceMs: 120_000,
  /** A server that answers by a byte now and then could hold a client for years. */
  wireSlowBytes: 16 * KiB,
  /** Bytes that a server gathers of an upload before it writes them; all that a request holds in memory, beside the window. */
  serverBufferBytes: 256 * KiB,
  /** Bytes of one upload under way to a server before they are taken: 6 to 10 MB/s at 100 ms there and back, and a backup has several. */
  serverWindowBytes: 1 * MiB,
  /** The same where a process serves one connection, over ssh: enough for all that OpenSSH lets through, 2 MiB at a time. */
  stdioWindowBytes: 4 * MiB,
  /** Requests in flight there: with the window and the buffer of each, 136 MiB. */
  stdioRequests: 32,
  /** Uploads of one client that a server takes at the same time: with the window and the buffer of each, 80 MiB. */
  serverUploads: 64,
  /** Requests of one client that a server works on at the same time, over all its connections. */
  serverRequests: 256,
  /** Connections that a server keeps open at the same time. */
  serverConnections: 1_024,
  /** Bytes of all headers of a request. */
  serverHeaderBytes: 16 * KiB,
  /** Connections that a server keeps open with one IPv4 address, or one /64 of IPv6, proxies excepted: each command of a client has one. */
  serverConnectionsOfAddress: 128,
  /** Milliseconds in which `serverSlowBytes` of an upload must come, or the rest of it; else the server ends it. */
  serverSilenceMs: 60_000,
  /** 1 KB a second: a line that is slower carries no backup. A byte now and then keeps no request open. */
  serverSlowBytes: 60_000,
  /** Milliseconds that one upload may take: 64 MiB at 6 KB a second. */
  serverUploadMs: 10_800_000,
  /** Log entries that one client may write in a day of the server's clock, unless its credential says otherwise. */
  serverEntriesPerDay: 1_000,
  /** Log entries that a server takes of one client at the same time: each is held in memory, and only one can be the next. */
  serverEntriesAtOnce: 4,
  /** Bytes of log entries that a client that cannot free space may write in a day: they stay for ever, and a usual one has a kilobyte. */
  serverEntryBytesPerDay: 64 * MiB,
  /** Milliseconds that a PIN may reach into the future: 30 days. A mount renews its own long before. */
  serverPinMs: 2_592_000_000,
} as const;

/** When a server is reached by more than one connection. */
export const FAR_STORE = {
  /** Milliseconds there and back from which a way is long: in that time OpenSSH (`CHAN_SES_WINDOW_DEFAULT`) lets 2 MiB through. */
  roundTripMs: 20,
  /** Bytes moved for each connection more: who asks for a list needs one. */
  bytes: 8 * MiB,
  /** Connections by `ssh` at once, unless told otherwise: each is a process on both sides. */
  sshConnections: 4,
  /** Connections by `ssh` that one can ask for: sshd begins to refuse at ten that are not logged in yet (`MaxStartups`). */
  mostSshConnections: 16,
} as const;

/** When whole packs of a store that is far away are fetched, and how many are kept. */
export const FETCHED_PACKS = {
  /** Small parts of one pack that are asked for before the rest of it is. */
  parts: 16,
  /** Bytes up to which a part is small: of a pack of larger ones, little would be saved. */
  partBytes: 256 * KiB,
  /** Bytes of all that are kept, in files. */
  bytes: 512 * MiB,
} as const;

/** What one CHECK says of damage: with both, an entry stays below half of what a log entry may have. */
export const CHECK_NOTES = {
  /** Places in one pack; with more, the whole pack is noted. */
  places: 256,
  /** Packs in one entry. */
  packs: 1_000,
} as const;

/** What a client remembers of its checks. */
export const CHECK_MEMORY = {
  /** Packs whose time is kept: 16 TiB of data, 38 MB in a file. */
  packs: 1_000_000,
} as const;

/** argon2id parameters. Default and floor: RFC 9106 section 4, second recommended option. Ceilings protect readers. */
export const ARGON2 = {
  memoryKiB: 65_536,
  passes: 3,
  lanes: 4,
  maxMemoryKiB: 2_097_152,
  maxPasses: 20,
  maxLanes: 16,
} as const;

/** Chunker parameters, bytes. Stored in `config`; changing them costs deduplication, never data. */
export const CHUNKER_DATA = { min: 512 * KiB, average: 1 * MiB, max: 8 * MiB } as const;
export const CHUNKER_TREE = { min: 16 * KiB, average: 64 * KiB, max: 512 * KiB } as const;

/**
 * When a prune is refused: more than this share of a series would go, and the series has more archives than this. Far above what a
 * regular prune takes, and a handful of archives may go without asking.
 */
export const PRUNE_GUARD = { share: 0.5, archives: 5 } as const;

/**
 * How far a forecast of a retention policy looks: archives to come of a series, and verdicts about archives in all, of which one
 * takes about 5 µs; so many of the newest gaps tell what is usual; milliseconds between archives at least, and where nothing
 * tells.
 */
export const FORECAST = {
  steps: 1_000,
  verdicts: 60_000,
  gaps: 30,
  leastGapMs: 60_000,
  defaultGapMs: 24 * 60 * 60 * 1000,
} as const;

/** Bytes of sealed chunks after which a pack is closed. */
export const PACK_TARGET = { data: 16 * MiB, tree: 4 * MiB } as const;

/**
 * Milliseconds of a pin: how long it lasts unless renewed, at most and when nothing else is asked for, and how much sooner
 * its reader stops relying on it, for clocks that differ.
 */
export const PIN = {
  defaultMs: 24 * 60 * 60 * 1000,
  maxMs: 30 * 24 * 60 * 60 * 1000,
  marginMs: 5 * 60 * 1000,
} as const;

/**
 * Milliseconds that a deletion can be undone at least, and that condemned objects stay at least: longer than a weekend and
 * the holiday beside it, so that somebody notices.
 */
export const GRACE_DEFAULT_MS = 7 * 24 * 60 * 60 * 1000;

/** Share of a pack that may be unused without compaction writing it again: copying 3 bytes to free 1 is enough. */
export const COMPACT_MAX_UNUSED = 0.25;

/** The record of what jobs did. */
export const RUNS = {
  /** Runs of one job that are remembered; the oldest go when a new one begins. Almost three years of nightly runs. */
  kept: 1_000,
  /** Bytes of one run's events beyond which only steps and the end are written: what a chatty hook can fill. */
  eventBytes: 16 * MiB,
  /** Bytes of one line; a longer one is nobody's event. */
  lineBytes: 64 * KiB,
  /** Bytes of a text in an event; the rest is cut off. */
  textBytes: 8 * KiB,
  /** Milliseconds between two events of progress: at most 2 a second. */
  progressMs: 500,
  /** Milliseconds between two looks at a record that is followed. */
  followMs: 200,
  /** Milliseconds between two looks whether the process of a run that is followed still lives. */
  aliveMs: 2_000,
} as const;

/**
 * Milliseconds. How often and for how long what failed for want of an answer is tried again: the wait doubles from the first to the
 * most; a router or a server that starts again is back within a few minutes.
 */
export const RETRY = { firstDelayMs: 500, mostDelayMs: 30_000, forMs: 600_000 } as const;

/**
 * One exchange with a server: milliseconds in which `piece` bytes must move or an answer must begin, else the server is taken
 * for gone; connections at once; bytes of an answer that is no object, such as an error or a page of a listing.
 */
export const EXCHANGE = { idleMs: 60_000, piece: 64 * KiB, connections: 16, answerBytes: 2 * MiB } as const;

/** The management API: milliseconds unless said otherwise. */
export const PANEL = {
  /** Bytes of the body of a request, unless its route says otherwise. */
  bodyBytes: 64 * KiB,
  /** Milliseconds in which a body must have come. */
  bodyMs: 30_000,
  /** Requests of one account that are worked on at the same time; a hundred of them may follow runs. */
  requests: 256,
  /** Requests without an account, all together, that are worked on at the same time: each may cost 19 MiB and a core for a moment. */
  openRequests: 32,
  /** Requests of one account in a minute, unless the panel's file says otherwise: fifty a second, or all of them at once. */
  requestsPerMinute: 3_000,
  /** The share of that for one address from which nobody is logged in. */
  openRequestsShare: 0.1,
  /** Accounts and addresses whose requests are counted; beyond that those are forgotten that asked longest ago. */
  counted: 10_000,
  /** Milliseconds without a request after which a session ends. */
  sessionIdleMs: 3_600_000,
  /** Milliseconds after which a session ends in any case: a working day. */
  sessionMs: 43_200_000,
  /** Milliseconds between two notes of when a session was seen. */
  sessionSeenMs: 60_000,
  /** Sessions of one account at the same time. */
  sessions: 32,
  /** Milliseconds for which a setup link works. */
  setupLinkMs: 3_600_000,
  /** Days that a token lives at most. */
  tokenDays: 366,
  /** Failed attempts of one account after which it has to wait. */
  accountFailures: 5,
  /** Failed attempts from one address after which it has to wait. */
  addressFailures: 20,
  /** Milliseconds of the first wait; each further failure doubles it. */
  lockMs: 30_000,
  /** Milliseconds of the longest wait. */
  mostLockMs: 900_000,
  /** Milliseconds after which one failure is forgotten. */
  failureMs: 900_000,
  /** Milliseconds after which all failures are forgotten. */
  failuresForgottenMs: 86_400_000,
  /** Characters of a password at least (NIST SP 800-63B asks for 8 beside another proof; here it stands alone). */
  passwordLength: 12,
  /** Milliseconds for which the groups of a recovery key that were asked for can be answered. */
  proofMs: 900_000,
  /** Mounts at the same time: each has a process that may take 200 MB. */
  mounts: 32,
  /** Milliseconds that the audit trail goes back: 400 days. */
  auditMs: 34_560_000_000,
} as const;
