import { domainToASCII } from 'node:url';

/** RFC 5321, 4.5.3.1.3: a path of 256 with its brackets. */
export const maxEmailLength = 254;

/** RFC 5321, 4.1.2: a Dot-string. Quoted ones are allowed there and used by nobody. */
const localPart = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** What a domain in another script is written in, its full stops included (UTS #46, 2.3). */
const international = /^(?:[\p{L}\p{M}\p{N}.\u3002\uff0e\uff61-]|\u200c|\u200d)+$/u;

/**
 * The address as it is kept and compared: in lower case, the domain in its ASCII form (`bücher.example` and
 * `xn--bcher-kva.example` are one). Undefined for what is no address on the internet.
 */
export function normalEmail(text: string): string | undefined {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(at, 0));
  const domain = asciiDomain(text.slice(at + 1));
  if (!localPart.test(local) || domain === undefined) return undefined;
  const email = `${local.toLowerCase()}@${domain}`;
  return email.length <= maxEmailLength ? email : undefined;
}

/** RFC 5321, 4.5.3.1.1, and RFC 1035, 2.3.4. Who has registered with a longer one signs in with it all the same. */
export function isDeliverable(email: string): boolean {
  const [local = '', domain = ''] = email.split('@');
  return local.length <= 64 && domain.split('.').every(({ length }) => length <= 63);
}

function asciiDomain(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (!international.test(lower)) return undefined;
  const domain = /[^a-z0-9.-]|xn--/.test(lower) ? domainToASCII(lower) : lower;
  const labels = domain.split('.');
  const isHostName = labels.length > 1 && labels.every((each) => label.test(each));
  // A name that ends in a number is an IPv4 address to whoever looks it up.
  return isHostName && !/^\d+$/.test(labels.at(-1) ?? '') ? domain : undefined;
}
