import { describe } from 'bun:test';
import { startEmbedded } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { pipelineSuite } from './pipeline.ts';

const processes = testProcesses();
const deployment = await startEmbedded(processes);

describe('the pipeline in one process', () => pipelineSuite({ processes, deployment }));
