// A process that begins a run of a job, says so, and waits to be killed.
import { RunStore } from '../../dist/index.js';

const [, , directory = '', job = ''] = process.argv;
const writer = await new RunStore(directory).create(job, 'job', 'manual');
writer.append({ type: 'step-started', step: 'backup' });
process.stdout.write(`${writer.id}\n`);
setInterval(() => undefined, 60_000);
