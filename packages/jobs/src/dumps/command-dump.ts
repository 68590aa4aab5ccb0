import { CairnError, fromUtf8, type ArchiveView } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import { programOutput } from './dump-file.ts';
import type { DumpPlan } from './dump-plan.ts';
import { dumpDirectory, type CommandDump } from './dump-schema.ts';
import { DumpTool } from './dump-tool.ts';
import { anyOutput, endsWithMark } from './output-ends.ts';
import type { Program } from './programs.ts';
import { give, type RestoreDumpRequest, type RestoreStep } from './restore-plan.ts';

const FILE_NAME = 'output';

/** What a program of the user prints. */
export async function planCommand(definition: CommandDump, context: DumpContext): Promise<DumpPlan> {
  const tool = await commandTool(definition, context);
  const { command } = definition;
  const mark = definition['ends-with'];
  const [program, args] = programOf(command);
  return {
    program: program.name,
    files: [
      {
        path: definition['file-name'] ?? FILE_NAME,
        part: 'output',
        databases: [],
        open: programOutput(tool, tool.call(program, args), mark === undefined ? anyOutput : endsWithMark(mark)),
      },
    ],
  };
}

/** How it goes back: by a command that the job names. Rejects with `USAGE` when it names none. */
export async function planCommandRestore(
  definition: CommandDump,
  request: RestoreDumpRequest,
  view: ArchiveView,
  context: DumpContext,
): Promise<readonly RestoreStep[]> {
  const command = definition['restore-command'];
  const path = `${dumpDirectory(definition)}/${definition['file-name'] ?? FILE_NAME}`;
  if (command === undefined) {
    throw new CairnError('USAGE', 'the job does not say how this dump is restored', {
      hint: `Add \`restore-command\` to the dump, or use the output itself: cairn cat ARCHIVE ${path}`,
    });
  }
  if (request.databases !== undefined || request.into !== undefined) {
    throw new CairnError('USAGE', 'a dump by a command is restored as a whole');
  }
  const { size } = await view.entry(fromUtf8(path));
  const tool = await commandTool(definition, context);
  const [program, args] = programOf(command);
  return [
    {
      what: `output of the command, by ${program.name}`,
      path,
      bytes: size,
      standing: 'whatever the command replaces',
      half: 'whatever the command had done by then',
      apply: async () => await give(tool, program, args, view.read(fromUtf8(path))),
    },
  ];
}

async function commandTool(definition: CommandDump, context: DumpContext): Promise<DumpTool> {
  return await DumpTool.create(context, { runAs: definition['run-as'], timeoutMs: definition['time-limit'] });
}

function programOf([program = '', ...args]: readonly string[]): [Program, string[]] {
  return [{ name: program, path: program }, args];
}
