import { hostname, userInfo } from 'node:os';
import { type AuditOf, createAudit } from '../../shared/audit.ts';
import { createLog } from '../../shared/log.ts';

/** What a command has done: on standard error, beside what it says to who typed it. */
export function operatorAudit(command: string): AuditOf {
  const standardError = { write: (line: string) => void process.stderr.write(line) };
  const log = createLog({ logLevel: 'info' }, command, standardError);
  return createAudit(log)({ operator: `${userName()}@${hostname()}` });
}

/** In a container there may be a number alone. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}
