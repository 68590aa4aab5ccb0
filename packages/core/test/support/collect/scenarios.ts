import { COLLECTOR_STORIES } from './collectors.js';
import { DECISION_STORIES } from './decisions.js';
import type { Scenario } from './story.js';
import { WRITER_STORIES } from './writers.js';

export const SCENARIOS: readonly Scenario[] = [...WRITER_STORIES, ...COLLECTOR_STORIES, ...DECISION_STORIES];
