import type { Deployment } from './deployment.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';

/** What faults do to those who use the deployment. */
export interface FaultHelpers {
  random: Random;
  recorder: Recorder;
  deployment: Deployment;
  /** A chat a slow client takes part in is flooded. */
  flood: () => void;
  /** Several people come and go at once. */
  changeMemberships: () => Promise<void>;
  /** Whether nearly everybody is connected, and nearly everything comes through at once. */
  fullFlow: () => boolean;
  print: (line: string) => void;
}
