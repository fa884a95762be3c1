import { startEmbedded } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { resumeExampleSuite, shortTokens } from './examples-resume.ts';

const processes = testProcesses();
resumeExampleSuite(processes, await startEmbedded(processes, { env: shortTokens }));
