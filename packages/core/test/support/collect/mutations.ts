import type { Mutation } from './core-copy.js';

/** A mutation, and a part of the name of the scenario that shows what is lost by it. */
export interface CaughtMutation extends Mutation {
  readonly caughtBy: string;
}

/**
 * Each rule of `docs/design/deletion.md` taken away in turn, at the one place where it stands. Where a second line of defence
 * would hide that (collectors rescue what writers forgot), the scenario looks before it gets to work.
 */
export const MUTATIONS: readonly CaughtMutation[] = [
  {
    rule: 'R1 slots are never overwritten',
    file: 'log/log.js',
    edits: [
      [
        'await this.options.store.put(key, object);',
        'await this.options.store.delete(key); await this.options.store.put(key, object);',
      ],
    ],
    caughtBy: '(R1, R4)',
  },
  {
    rule: 'R1 an append is evaluated at its head',
    file: 'verbs/commit-archive.js',
    edits: [
      [
        'const seq = await access.log.append((state) => { const swept =',
        'const { state: now } = access.log; ' +
          'const seen = { archives: now.archives, sweptPacks: new Set(now.sweptPacks), sweptSegments: new Set(), ' +
          'condemnedPacks: new Map(now.condemnedPacks), condemnedSegments: new Map() }; ' +
          'const seq = await access.log.append(() => { const state = seen; const swept =',
      ],
    ],
    caughtBy: '(R1, R4)',
  },
  {
    rule: 'R2 an unknown outcome is read back',
    file: 'log/log.js',
    edits: [['return Buffer.compare(found, object) === 0;', 'return true;']],
    caughtBy: '(R2, R9)',
  },
  {
    rule: 'R3 a writer puts segments before it commits',
    file: 'verbs/backup.js',
    edits: [
      [
        'await uploader.putSegment(); if (!(await commitArchive(access, descriptor, uploader, index.usedPacks()))) return undefined;',
        'if (!(await commitArchive(access, descriptor, uploader, index.usedPacks()))) return undefined; await uploader.putSegment();',
      ],
    ],
    caughtBy: 'a writer that dies',
  },
  {
    rule: 'R3 a collector puts copies and their segment before it condemns',
    file: 'collect/repack.js',
    edits: [
      ['async list() { const { listings } = this;', 'async list() { const listings = []; setTimeout(() => undefined);'],
    ],
    caughtBy: 'a collector that dies',
  },
  {
    rule: 'R4 packs that are swept are not used',
    file: 'verbs/commit-archive.js',
    edits: [['needed.some((name) => state.sweptPacks.has(name)) ||', '']],
    caughtBy: '(R1, R4)',
  },
  {
    rule: 'R4 packs that are condemned are rescued',
    file: 'verbs/commit-archive.js',
    edits: [['needed.filter((name) => state.condemnedPacks.has(name))', '[]']],
    caughtBy: '(R4 rescue)',
  },
  {
    rule: 'R4 own uploads are looked up, too',
    file: 'verbs/commit-archive.js',
    edits: [['const needed = [...usedPacks, ...uploader.packs];', 'const needed = [...usedPacks];']],
    caughtBy: '(R4 own uploads)',
  },
  {
    rule: 'R5 the base of a COMMIT is there at its head',
    file: 'log/decisions.js',
    edits: [['if (decision.base !== null && !this.isRoot(decision.base))', 'if (false)']],
    caughtBy: '(R5, R7, R11)',
  },
  {
    rule: 'R6 presence is no proof',
    file: 'index/chunk-index.js',
    edits: [['if (this.swept.has(pack.name)) return -1;', '']],
    caughtBy: '(R6)',
  },
  {
    rule: 'R6 swept is for ever',
    file: 'log/decisions.js',
    edits: [['return swept ?', 'return false ?']],
    caughtBy: '(R6)',
  },
  {
    rule: 'R7 deleted archives are roots',
    file: 'collect/roots.js',
    edits: [["standing !== 'dropped' && !this.marked.has(id)", "standing === 'live' && !this.marked.has(id)"]],
    caughtBy: '(R7 roots)',
  },
  {
    rule: 'R7 what is dropped is not brought back, pinned or built upon',
    file: 'log/decisions.js',
    edits: [["archive !== undefined && archive.state !== 'dropped'", 'archive !== undefined']],
    caughtBy: '(R5, R7, R11)',
  },
  {
    rule: 'R7 archive ids are used once',
    file: 'log/decisions.js',
    edits: [['if (this.archives.has(decision.archive))', 'if (false)']],
    caughtBy: '(R5, R7, R11)',
  },
  {
    rule: 'R7 what an archive needs that nobody can read is not known',
    file: 'collect/roots.js',
    edits: [[' + this.unreadableAt(state).length', '']],
    caughtBy: '(R7 unread)',
  },
  {
    rule: 'R8 archives committed since the mark are marked',
    file: 'collect/condemn.js',
    edits: [['behind = !this.roots.areMarkedAt(state);', 'behind = false;']],
    caughtBy: '(R8 new archives)',
  },
  {
    rule: 'R8 a pack is judged by its own header',
    file: 'collect/pack-judge.js',
    edits: [
      ["if (this.survey.live.isLive(type, id)) return 'needed';", ''],
      [
        'pack === undefined ? live.isUnlisted(id) : live.isLive(halves[at], id)',
        'pack === undefined && live.isUnlisted(id)',
      ],
    ],
    caughtBy: 'a segment says that a pack holds nothing',
  },
  {
    rule: 'R8 a pack that turns out to be listed is not one of nobody',
    file: 'collect/pack-judge.js',
    edits: [['if (pack === undefined && this.survey.isListedLater(name)) return true;', '']],
    caughtBy: 'whose index is older',
  },
  {
    rule: 'R8 copies count as they are at the head',
    file: 'collect/condemn.js',
    edits: [['stays(name) && copiesIn.every(stays) &&', 'stays(name) &&']],
    caughtBy: '(R8 copies at the head)',
  },
  {
    rule: 'R8 copies are compared',
    file: 'collect/repack.js',
    edits: [['if (Buffer.compare(bytes, sealed) === 0)', 'if (bytes.length > 0)']],
    caughtBy: '(R8 verified copies)',
  },
  {
    rule: 'R9 the grace is waited for',
    file: 'collect/sweep.js',
    edits: [['.filter(([, { sinceMs }]) => grace.isOver(sinceMs))', '']],
    caughtBy: 'nothing is swept before the grace',
  },
  {
    rule: 'R9 what is rescued is not swept',
    file: 'collect/sweep.js',
    edits: [
      [
        'const done = { packs: [], segments: [] };',
        'const done = { packs: [], segments: [] }; const early = this.sweepableAt(this.survey.access.log.state);',
      ],
      [
        'swept = this.sweepableAt(state);',
        'swept = early.packs.splice(0).length > 0 ? this.sweepableAt(state) : { packs: [...state.condemnedPacks.keys()], segments: [] };',
      ],
    ],
    caughtBy: 'nothing is swept before the grace',
  },
  {
    rule: 'R9 bytes are removed after a SWEEP names them',
    file: 'collect/sweep.js',
    edits: [
      [
        'const { sweptPacks, sweptSegments } = log.state;',
        'const sweptPacks = { has: () => true }; const sweptSegments = sweptPacks; keys = [...keys, ...[...log.state.condemnedPacks.keys()].map((name) => ({ kind: "packs", name }))];',
      ],
    ],
    caughtBy: 'nothing is swept before the grace',
  },
  {
    rule: 'R10 segments go through the log',
    file: 'collect/collection.js',
    edits: [
      [
        "await this.condemn([], leaving, 'merged');",
        "for (const { name } of leaving) await survey.access.store.delete({ kind: 'index', name });",
      ],
    ],
    caughtBy: '(R10 cover)',
  },
  {
    rule: 'R10 the segment in its place stays',
    file: 'collect/condemn.js',
    edits: [['staysSegment(name) && coveredBy.every(staysSegment)', 'staysSegment(name)']],
    caughtBy: '(R10 cover)',
  },
  {
    rule: 'R10 condemned packs stay listed',
    file: 'collect/merge-index.js',
    edits: [
      [
        'gathering.add(segment, of, log.state.sweptPacks)',
        'gathering.add(segment, of, new Set([...log.state.sweptPacks, ...log.state.condemnedPacks.keys()]))',
      ],
    ],
    caughtBy: '(R10 condemned packs)',
  },
  {
    rule: 'R10 what is listed twice is given up',
    file: 'collect/collection.js',
    edits: [['if (merging.redundant.length > 0)', 'if (false)']],
    caughtBy: '(R10 twice)',
  },
  {
    rule: 'R10 that others list the same is compared',
    file: 'collect/collection.js',
    edits: [
      [
        'await confirmRedundant(survey, merging.redundant)',
        'merging.redundant.map(({ segment, coveredBy }) => ({ name: segment.name, coveredBy }))',
      ],
    ],
    caughtBy: '(R10 compared)',
  },
  {
    rule: 'R10 segments that a repair gave up go',
    file: 'collect/merge-index.js',
    edits: [['...uselessSegments(survey)', '']],
    caughtBy: '(R10 given up)',
  },
  {
    rule: 'R11 pins at the head keep archives',
    file: 'collect/roots.js',
    edits: [['archives.includes(id) && grace.isPinned(until)', 'false']],
    caughtBy: '(R11)',
  },
  {
    rule: 'R11 a pin counts for a margin longer',
    file: 'collect/roots.js',
    edits: [['this.nowMs - PIN.marginMs', 'this.nowMs']],
    caughtBy: '(R11 margin)',
  },
  {
    rule: 'R12 a reader looks again',
    file: 'pack/chunk-reader.js',
    edits: [['if (seq === this.reloadedAt) return false;', 'return false;']],
    caughtBy: '(R12)',
  },
  {
    rule: 'R12 a check looks again',
    file: 'check/inventory.js',
    edits: [['if (log.seq === this.logSeq) return false;', 'return false;']],
    caughtBy: '(R12 check)',
  },
  {
    rule: 'R13 what is swept is removed whenever it turns up',
    file: 'collect/collection.js',
    edits: [['this.leftovers.map(({ kind, name }) => ({ kind, name }))', '[]']],
    caughtBy: '(R13)',
  },
  {
    rule: 'R13 packs that no segment lists are condemned',
    file: 'collect/choice.js',
    edits: [['unlisted: unlisted.filter(isOld)', 'unlisted: []']],
    caughtBy: '(R13)',
  },
];
