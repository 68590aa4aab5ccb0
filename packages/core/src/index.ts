// Repositories, and what their methods take and give.
export type { BackupRequest, BackupRun, ClientOptions, CreateOptions, CreatedRepository } from './repository.ts';
export type {
  DiffRequest,
  OpenOptions,
  RepositoryClaims,
  RestoreRequest,
  RewriteRequest,
  StatsRequest,
} from './repository.ts';
export { explainPaths, Repository } from './repository.ts';
export type { Excluded } from './backup/selection-choice.ts';
export type { Problem, ProblemKind } from './backup/problems.ts';
export type { BackupProgress, BackupReport } from './verbs/backup.ts';
export type { Overwrite, RestoreAction, RestoreProblem, RestoreProgress, RestoreReport } from './restore/options.ts';
export { OVERWRITES } from './restore/options.ts';
export type { RestoreRun } from './verbs/restore.ts';
export type { CheckOptions, CheckProgress, CheckReport, CheckRun, Finding } from './verbs/check.ts';
export type { DeleteOptions, DeletePlan, DeleteReport } from './verbs/delete.ts';
export { droppableFromMs } from './verbs/delete.ts';
export type { ArchiveChange, TagChange } from './verbs/annotate.ts';
export type { HistoryEntry, HistoryOptions } from './verbs/history.ts';
export type { ArchiveUsage, MonthGrowth, ObjectSum, SeriesGrowth, StatsReport, StatsRun } from './verbs/stats.ts';
export type { ChunkSum } from './usage/owner-marks.ts';
export type { RewrittenArchive } from './verbs/rewrite.ts';
export type { Removed } from './verbs/rewrite-trees.ts';
export type { PendingArchive, PendingDeletions, PendingObjects } from './verbs/pending.ts';
export type { ArchivePin, PinOptions } from './verbs/pin.ts';
export { GRACE_DEFAULT_MS, LIMITS, PANEL, RUNS } from './limits.ts';
export type {
  CompactOptions,
  CompactPlan,
  CompactProgress,
  CompactReport,
  CompactRun,
  PackTotal,
} from './verbs/compact.ts';
export type {
  DamagedPack,
  RepairOptions,
  RepairPlan,
  RepairReport,
  RepairRun,
  UnreadableSlot,
} from './verbs/repair.ts';
export type { AsideStore, LogRepairPlan } from './verbs/repair-log.ts';
export type { CopiedArchive, CopyOptions, CopyProgress, CopyReport, CopyRun } from './verbs/copy.ts';
export type { ByteSink, ExportTarOptions, ExportTarReport, TarLoss } from './verbs/export-tar.ts';
export type { ImportTarOptions, ImportTarReport } from './verbs/import-tar.ts';
export type { Change, ChangedPart } from './verbs/diff.ts';
export type { Explanation } from './verbs/explain.ts';
export type { Found } from './verbs/find.ts';
export type { PruneOptions, PrunePlan, PruneReport, PruneVerdict, RetentionTime, SeriesPlan } from './verbs/prune.ts';
export type { ListArchivesOptions, ResolveOptions } from './verbs/archives.ts';
export type { Because } from './log/because.ts';
export type { ArchiveRecord } from './log/state.ts';
export type { UnreadableArchive, UnreadableEntry } from './log/unreadable.ts';
export type { LoggedEntry } from './log/log.ts';
export type { LogEntry } from './log/kinds.ts';
export type { ArchiveDescriptor, ArchiveStats } from './log/descriptor.ts';
export { ArchiveView, type WalkedEntry } from './tree/archive-view.ts';
export type { EntryKind, TreeEntry } from './tree/entry.ts';
export { ENTRY_KIND, ENTRY_KIND_NAME } from './tree/entry.ts';

// Trees and files chunk by chunk, for programs that show archives in their own way.
export type { ArchiveReader, ArchiveReaderOptions } from './read/archive-reader.ts';
export type { ChunkSource } from './tree/chunk-source.ts';
export type { ContentReference } from './tree/content.ts';
export { contentRecords, EMPTY_CONTENT } from './tree/content.ts';
export { CHUNK_TYPE, type ChunkType } from './crypto/chunk-crypto.ts';
export { DirectoryListing, type ListedEntry, type ListingCursor } from './tree/directory-listing.ts';
export { decodeEntry, entryContent, entryLink, type EntryLink } from './tree/entry.ts';
export { FileReader } from './tree/file-reader.ts';

// Which archives to keep.
export type { CountRule, RetentionAlgorithm, RetentionPolicy } from './retention/policy.ts';
export { ALGORITHMS, COUNT_RULES, DEFAULT_POLICY, describePolicy, KEEP_ALL } from './retention/policy.ts';
export { TimeZone } from './retention/local-time.ts';
export { reasonText, type KeepReason } from './retention/reason.ts';
export { forecastPrune, type ForecastOptions } from './verbs/forecast.ts';

// What to leave out, and patterns.
export type { Reason, SelectionOptions } from './scan/selection.ts';
export type { Preset } from './scan/presets.ts';
export { PRESETS, presetNamed } from './scan/presets.ts';
export { pathMatcher } from './scan/path-matcher.ts';

// Stores, and the ports that a program may fill itself.
export type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from './ports/object-store.ts';
export type { ClientState, SeenHead } from './ports/client-state.ts';
export type { TreeCache } from './ports/tree-cache.ts';
export type { CheckMemory } from './ports/check-memory.ts';
export type { ContentSource } from './ports/content-source.ts';
export { commandContent, type CommandContent } from './host/command-content.ts';
export type { Clock, Environment, Random } from './ports/environment.ts';
export type { CryptoSuite } from './ports/crypto-suite.ts';
export type { StoreMemory } from './ports/store-memory.ts';
export type { Timer } from './ports/timer.ts';
export { addressBelow, hasScheme, parseAddress, type S3Address, type StoreAddress } from './stores/address.ts';
export { openStore, openStoreAt, type OpenStoreOptions } from './stores/open.ts';
export { FetchedPackStore } from './stores/fetched-packs.ts';
export { RetryingStore, type RetryNotice, type RetryOptions } from './stores/retrying.ts';
export { ThrottledStore, type ThrottleOptions } from './stores/throttled.ts';
export { DirectoryStore } from './stores/directory.ts';
export { MemoryStore } from './stores/memory.ts';
export { openHttpStore, type HttpStoreOptions } from './stores/http.ts';
export { openSshStore, type SshStoreOptions } from './stores/ssh.ts';
export { DirectoryClientState } from './host/client-state.ts';
export { clientFiles, type ClientDirectories, type ClientFiles } from './host/directories.ts';
export { systemEnvironment } from './host/environment.ts';
export { FILE_SYSTEM_TYPE, isDead, mountAt, readMountTable, type MountEntry } from './host/mount-table.ts';
export { keepHeapSmall, letHeapGrow, makeRelease, returnFreedBlocks, shareOneHeap } from './host/memory.ts';
export { nameOwnDirectory } from './host/own-directory.ts';
export { systemTimer } from './host/timer.ts';
export { nodeSuite, servingSuite } from './crypto/node-suite.ts';

// The public half of the log, which needs no key: what a server judges.
export { readLogFrame, type PublicLogFrame } from './log/entry.ts';
export { decodeDecision, LOG_KIND_NUMBER, type Decision, type LogKind } from './log/decision.ts';
export { Decisions, type ArchiveStanding, type Condemned, type Pin } from './log/decisions.ts';

// Keys.
export type { Capabilities, Rights } from './crypto/capabilities.ts';
export { describeRights, fingerprintOf, restrict, SECRET_NAMES } from './crypto/capabilities.ts';
export { encodeKeyFileText, parseKeyFileText, type KeyFile, type KeyFileNotes } from './keys/key-file.ts';
export { createKeyFile, createSlotFile, readKeyFile, readKeyOrSlot, replaceSlotFile } from './host/key-file-store.ts';
export { checkGroups, encodeRecoveryKey, parseRecoveryKey, pickGroups } from './keys/recovery.ts';
export { readPaperLine, type PaperLine } from './keys/paper.ts';
export { readPassphraseFile } from './host/passphrase-file.ts';
export { readAll, readAllOf, type ReadWhat } from './host/read-all.ts';
export { createSecretFile } from './host/secret-file.ts';
export { recoveryText, type RecoverySheet } from './keys/recovery-text.ts';
export { paperHtml, paperText } from './keys/paper-page.ts';
export { qrTerminal } from './keys/qr.ts';
export { formatFingerprint, parseFingerprint } from './keys/fingerprint.ts';
export { importKey, type ImportedKey } from './keys/import-key.ts';
export { generatePassphrase, passphraseBytes, passphraseOf } from './keys/passphrase.ts';
export { encodeSlot, keyFileOfSlot, parseSlot, type PassphraseSlot, type Slot } from './keys/slot.ts';
export { createPassphraseSlot } from './keys/passphrase-slot.ts';
export { createOpenPgpSlot } from './keys/openpgp-slot.ts';
export { acceptSlotKey, unlock, type Unlocked } from './keys/unlock.ts';
export { findSlot, listSlots, removeSlot, storeSlot, type StoredSlots } from './verbs/key-slots.ts';

// Errors, names of files, and whether this machine has what is needed.
export { CairnError, ERROR_TABLE, EXIT_INCOMPLETE, isCairnError, knownError, systemErrorCode } from './errors.ts';
export type { ErrorCode, ErrorOptions, ErrorReport, Retry } from './errors.ts';
export { bytesOf, displayName, fromUtf8, isUtf8, toUtf8, type ByteString } from './host/byte-path.ts';
export { extendedValue, partOf, type Part } from './codec/http-fields.ts';
export { OneAtATime } from './flow/one-at-a-time.ts';
export { Turns } from './flow/turns.ts';
export { pathBytes, resolveSource, type PathInput } from './host/resolve-source.ts';
export { formatBytes, formatDuration, parseDuration, parseSize } from './quantities.ts';
export { ProcessGroup } from './host/process-group.ts';
export { selfTest, type SelfTestResult } from './self-test.ts';
