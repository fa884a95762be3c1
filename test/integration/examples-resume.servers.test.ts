import { startThreeProcesses } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';
import { resumeExampleSuite, shortTokens } from './examples-resume.ts';

const processes = testProcesses();
const servers = await realServers();
resumeExampleSuite(processes, await startThreeProcesses({ processes, servers, env: shortTokens }));
