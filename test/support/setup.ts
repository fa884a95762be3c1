import { setDefaultTimeout } from 'bun:test';
import { testTimeoutMs } from '../command/steps.ts';

// For a file that is run by hand; in a run of several it counts for the first of them alone.
setDefaultTimeout(testTimeoutMs);
