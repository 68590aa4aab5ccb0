import type { Figures, RunStatus } from '../runs/run-events.ts';
import type { AlertEvent, AlertsDefinition } from './alert-schema.ts';

/** A run that alerts are about. */
export interface AlertedRun {
  readonly run: string;
  readonly status: RunStatus;
  readonly seconds: number;
  /** Its steps in order; 0 is good. */
  readonly steps: readonly {
    readonly step: string;
    readonly status: number;
    readonly error?: { readonly message: string } | undefined;
  }[];
  readonly figures: Figures;
  readonly archive: string | undefined;
}

/** What alerts tell. */
export interface AlertFacts {
  readonly job: string;
  readonly host: string;
  /** Undefined for a run that did not begin. */
  readonly outcome: AlertedRun | undefined;
  /** How the run before it ended; undefined when there was none. */
  readonly previousStatus: RunStatus | undefined;
  /** What the run said, as text. */
  readonly log: string;
  /** When a missed run was due, RFC 3339. */
  readonly dueAt?: string;
}

const GOOD: readonly RunStatus[] = ['success', 'warning'];

/** What a run is an occasion for. A run that was cancelled made no backup either. */
export function eventOf({ outcome, previousStatus }: Pick<AlertFacts, 'outcome' | 'previousStatus'>): AlertEvent {
  if (outcome === undefined) return 'missed';
  if (!GOOD.includes(outcome.status)) return 'failure';
  if (outcome.status === 'warning') return 'warning';
  return previousStatus === undefined || GOOD.includes(previousStatus) ? 'success' : 'recovered';
}

const DEFAULT_EVENTS: readonly AlertEvent[] = ['failure', 'warning', 'recovered', 'missed'];

/** True when mail and webhook are to be sent. Whoever wants to hear of every success hears of one that ends a failure, too. */
export function isWanted(event: AlertEvent, { on }: Pick<AlertsDefinition, 'on'>): boolean {
  const wanted: readonly AlertEvent[] = on ?? DEFAULT_EVENTS;
  return wanted.includes(event) || (event === 'recovered' && wanted.includes('success'));
}
