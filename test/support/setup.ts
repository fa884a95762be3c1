import { setDefaultTimeout } from 'bun:test';

// Tests wait on conditions, not on time: on a machine that is busy the same condition comes later.
setDefaultTimeout(20_000);
