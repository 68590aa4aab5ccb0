import type { VerbGroup, VerbRow } from './verb.ts';

const KEY_SLOT: VerbGroup = {
  name: 'slot',
  summary: 'wrap keys for a passphrase or for OpenPGP keys',
  example: 'cairn key slot add -r /backup/repo --rights read --label "for restoring"',
  verbs: [
    { name: 'add', summary: 'add a key slot', load: async () => (await import('./verbs/key-slot-add.ts')).keySlotAdd },
    {
      name: 'list',
      summary: 'show the key slots',
      load: async () => (await import('./verbs/key-slot-list.ts')).keySlotList,
    },
    {
      name: 'remove',
      summary: 'remove a key slot',
      load: async () => (await import('./verbs/key-slot-remove.ts')).keySlotRemove,
    },
  ],
};

const KEY: VerbGroup = {
  name: 'key',
  summary: 'show, export, import and issue keys',
  example: 'cairn key export -r /backup/repo --paper --output recovery.txt',
  verbs: [
    {
      name: 'show',
      summary: 'tell what a key can do',
      load: async () => (await import('./verbs/key-show.ts')).keyShow,
    },
    {
      name: 'export',
      summary: 'write the recovery key',
      load: async () => (await import('./verbs/key-export.ts')).keyExport,
    },
    {
      name: 'import',
      summary: 'read a key file, a recovery key or its paper form',
      load: async () => (await import('./verbs/key-import.ts')).keyImport,
    },
    {
      name: 'issue',
      summary: 'make a key with fewer rights',
      load: async () => (await import('./verbs/key-issue.ts')).keyIssue,
    },
    KEY_SLOT,
    {
      name: 'passphrase',
      summary: 'change the passphrase of a key slot',
      load: async () => (await import('./verbs/key-passphrase.ts')).keyPassphrase,
    },
    {
      name: 'fingerprint',
      summary: 'show the fingerprint of the keys',
      load: async () => (await import('./verbs/key-fingerprint.ts')).keyFingerprint,
    },
  ],
};

const TAR: VerbGroup = {
  name: 'tar',
  summary: 'write archives as tar, and make archives of tar',
  example: 'cairn tar export -r /backup/repo latest /etc > etc.tar',
  verbs: [
    {
      name: 'export',
      summary: 'write an archive as a tar stream',
      load: async () => (await import('./verbs/tar-export.ts')).tarExport,
    },
    {
      name: 'import',
      summary: 'make an archive of a tar file',
      load: async () => (await import('./verbs/tar-import.ts')).tarImport,
    },
  ],
};

const JOB: VerbGroup = {
  name: 'job',
  summary: 'see, check, schedule and install jobs',
  example: 'cairn job validate nightly && cairn job install nightly',
  verbs: [
    { name: 'list', summary: 'list the jobs', load: async () => (await import('./verbs/job-list.ts')).jobList },
    {
      name: 'validate',
      summary: 'look for mistakes in job files',
      load: async () => (await import('./verbs/job-validate.ts')).jobValidate,
    },
    { name: 'show', summary: 'show what a job says', load: async () => (await import('./verbs/job-show.ts')).jobShow },
    {
      name: 'plan',
      summary: 'tell what a run would do, and change nothing',
      load: async () => (await import('./verbs/job-plan.ts')).jobPlan,
    },
    {
      name: 'status',
      summary: 'show the last run, the next one, and those that were missed',
      load: async () => (await import('./verbs/job-status.ts')).jobStatus,
    },
    {
      name: 'log',
      summary: 'show what a run said',
      load: async () => (await import('./verbs/job-log.ts')).jobLog,
    },
    {
      name: 'detect',
      summary: 'look which databases are here to be dumped',
      load: async () => (await import('./verbs/job-detect.ts')).jobDetect,
    },
    {
      name: 'restore-dump',
      summary: 'restore a dump into its database',
      load: async () => (await import('./verbs/job-restore-dump.ts')).jobRestoreDump,
    },
    {
      name: 'install',
      summary: 'have systemd run a job, or all, when they are due',
      load: async () => (await import('./verbs/job-install.ts')).jobInstall,
    },
    {
      name: 'uninstall',
      summary: 'take the units of a job away',
      load: async () => (await import('./verbs/job-uninstall.ts')).jobUninstall,
    },
    {
      name: 'daemon',
      summary: 'run jobs when they are due, until it is ended',
      load: async () => (await import('./verbs/job-daemon.ts')).jobDaemon,
    },
  ],
};

/** All verbs, in the order of the help. */
export const VERBS: readonly (VerbRow | VerbGroup)[] = [
  { name: 'init', summary: 'create a repository', load: async () => (await import('./verbs/init.ts')).init },
  {
    name: 'backup',
    summary: 'back up files and directories',
    load: async () => (await import('./verbs/backup.ts')).backup,
  },
  { name: 'list', summary: 'list archives', load: async () => (await import('./verbs/list.ts')).list },
  { name: 'ls', summary: 'list what is in an archive', load: async () => (await import('./verbs/ls.ts')).ls },
  { name: 'find', summary: 'search archives for paths', load: async () => (await import('./verbs/find.ts')).find },
  { name: 'diff', summary: 'compare two archives', load: async () => (await import('./verbs/diff.ts')).diff },
  {
    name: 'restore',
    summary: 'restore files and directories',
    load: async () => (await import('./verbs/restore.ts')).restore,
  },
  { name: 'cat', summary: 'write one file to standard output', load: async () => (await import('./verbs/cat.ts')).cat },
  {
    name: 'mount',
    summary: 'show archives as a file system',
    load: async () => (await import('./verbs/mount.ts')).mount,
  },
  {
    name: 'umount',
    summary: 'take a mounted file system away',
    load: async () => (await import('./verbs/umount.ts')).umount,
  },
  {
    name: 'browse',
    summary: 'show archives to a browser or a file manager',
    load: async () => (await import('./verbs/browse.ts')).browse,
  },
  {
    name: 'delete',
    summary: 'hide archives; they can be brought back for a while',
    load: async () => (await import('./verbs/delete.ts')).deleteArchives,
  },
  {
    name: 'undelete',
    summary: 'bring deleted archives back',
    load: async () => (await import('./verbs/undelete.ts')).undelete,
  },
  {
    name: 'protect',
    summary: 'keep archives from being deleted',
    load: async () => (await import('./verbs/protect.ts')).protect,
  },
  {
    name: 'rename',
    summary: 'give an archive another name',
    load: async () => (await import('./verbs/rename.ts')).rename,
  },
  {
    name: 'comment',
    summary: 'set the comment of archives',
    load: async () => (await import('./verbs/comment.ts')).comment,
  },
  { name: 'tag', summary: 'change the tags of archives', load: async () => (await import('./verbs/tag.ts')).tag },
  {
    name: 'rewrite',
    summary: 'take paths out of archives',
    load: async () => (await import('./verbs/rewrite.ts')).rewrite,
  },
  {
    name: 'stats',
    summary: 'show what archives take, and what deleting them would free',
    load: async () => (await import('./verbs/stats.ts')).stats,
  },
  { name: 'log', summary: 'show what was decided, and when', load: async () => (await import('./verbs/log.ts')).log },
  { name: 'compact', summary: 'give back space', load: async () => (await import('./verbs/compact.ts')).compact },
  { name: 'prune', summary: 'delete archives by a policy', load: async () => (await import('./verbs/prune.ts')).prune },
  TAR,
  { name: 'check', summary: 'look for damage', load: async () => (await import('./verbs/check.ts')).check },
  {
    name: 'repair',
    summary: 'save what can be saved of a damaged repository',
    load: async () => (await import('./verbs/repair.ts')).repair,
  },
  {
    name: 'copy',
    summary: 'copy archives into another repository',
    load: async () => (await import('./verbs/copy.ts')).copy,
  },
  KEY,
  { name: 'run', summary: 'run jobs', load: async () => (await import('./verbs/run.ts')).run },
  JOB,
  {
    name: 'explain',
    summary: 'tell which rule takes or leaves out a path',
    load: async () => (await import('./verbs/explain.ts')).explain,
  },
  {
    name: 'config',
    summary: 'show the settings in effect',
    load: async () => (await import('./verbs/config.ts')).config,
  },
  {
    name: 'doctor',
    summary: 'test this machine, or a store',
    load: async () => (await import('./verbs/doctor.ts')).doctor,
  },
  {
    name: 'serve',
    summary: 'serve repositories to other machines',
    load: async () => (await import('./verbs/serve.ts')).serve,
  },
  {
    name: 'panel',
    summary: 'run the management API behind a control panel',
    load: async () => (await import('./verbs/panel.ts')).panel,
  },
  {
    name: 'completion',
    summary: 'print a completion script for a shell',
    load: async () => (await import('./verbs/completion.ts')).completion,
  },
];
