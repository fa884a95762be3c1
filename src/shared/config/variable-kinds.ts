import ms from 'ms';
import * as v from 'valibot';
import { AddressProblem } from './server-address.ts';

/*
 * What a variable of the environment can be, each with what is said of one that is not. Bytes of a secret are all meant; around
 * anything else spaces are not.
 */

export const text = v.pipe(v.string(), v.trim());
/** To the byte: a space at its end is part of a password. */
export const secretText = v.string();
/** What `read` makes of it; what it throws is the problem. */
export const parsedBy = <Output>(read: (value: string) => Output) =>
  v.pipe(
    text,
    v.rawTransform<string, Output>(({ dataset, addIssue, NEVER }) => {
      try {
        return read(dataset.value);
      } catch (error) {
        if (!(error instanceof AddressProblem)) throw error;
        addIssue({ message: error.message });
        return NEVER;
      }
    }),
  );
export const integer = (lowest: number, highest: number) =>
  v.pipe(
    text,
    v.regex(/^-?\d+$/, 'must be a whole number'),
    v.transform(Number),
    v.minValue(lowest, `must be ${lowest} or more`),
    v.maxValue(highest, `must be ${highest} or less`),
  );
export const port = integer(0, 65_535);
export const flag = v.pipe(
  text,
  v.toLowerCase(),
  v.picklist(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], 'must be true or false'),
  v.transform((value) => ['true', '1', 'yes', 'on'].includes(value)),
);
export const name = v.pipe(
  text,
  v.regex(/^[A-Za-z0-9._:-]{1,200}$/, 'may hold letters, digits and . _ : - only'),
);
export const url = (...protocols: string[]) =>
  v.pipe(
    text,
    v.check(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    ),
  );
/** Ten years; PostgreSQL is given the seconds as an `int`. */
const longestSeconds = 10 * 365 * 86_400;

/** Seconds, from `15m`, `30d`, `900s`. */
export const duration = v.pipe(
  text,
  v.regex(/^\d+\s*(s|m|h|d|w)$/, 'must be a duration like 15m, 12h or 30d'),
  v.transform((value) => ms(value as ms.StringValue) / 1000),
  v.minValue(1, 'must be at least 1s'),
  v.maxValue(longestSeconds, 'must be 3650d at most'),
);
/** Milliseconds, from `0`, `500ms`, `5s`. */
export const pause = v.pipe(
  text,
  v.regex(/^(?:0|\d+\s*(?:ms|s))$/, 'must be a time like 0, 500ms or 5s'),
  v.transform((value) => ms(value as ms.StringValue)),
  v.maxValue(20_000, 'must be 20s at most'),
);
const isLongEnough = (value: string): boolean => Buffer.byteLength(value) >= 32;
export const secret = v.pipe(secretText, v.check(isLongEnough, 'must have at least 32 bytes'));
/** One or two, separated by a comma. They travel in a header, which has no more than these characters, and none of them blank at an end. */
export const headerSecrets = v.pipe(
  text,
  v.regex(/^[\x20-\x7e]*$/, 'may hold visible ASCII characters and spaces only: it travels in a header'),
  v.transform(secretsIn),
  v.maxLength(2, 'may be two at most: the one in use, and the one before or after it'),
  v.everyItem(isLongEnough, 'must have at least 32 bytes; of two, separated by a comma, each must'),
);
/** An address of this machine, or a name of one; brackets around IPv6 are allowed. */
export const ownHost = v.pipe(
  text,
  v.transform((value) => value.replace(/^\[(.*)\]$/, '$1').replace(/^localhost$/i, 'localhost')),
  v.regex(/^[A-Za-z0-9._:%-]+$/, 'must be an address of this machine, like 127.0.0.1, :: or localhost'),
);
export const perMinute = integer(1, 1_000_000);
/** A path, or PEM itself; in a file of variables its line feeds are often written as two characters. */
export const pem = v.pipe(
  text,
  v.transform((value) => value.replaceAll('\\n', '\n')),
);

/** As they stand in the variable. */
export function secretsIn(list: string): string[] {
  return list.split(',').map((secret) => secret.trim());
}
