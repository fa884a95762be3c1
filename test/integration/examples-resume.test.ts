import { startEmbedded } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { resumeExampleFaults, resumeExampleSuite, shortTokens } from './examples-resume.ts';

const processes = testProcesses();
const deployment = await startEmbedded(processes, { env: shortTokens });
resumeExampleSuite(processes, deployment);
resumeExampleFaults(processes, deployment);
