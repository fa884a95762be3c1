import { expect, test } from 'bun:test';
import { isDatabaseUnavailable, isDataError, isInstallationError } from '../../src/db/errors.ts';

const withCode = (code: string) => Object.assign(new Error('failed'), { code });

test.each([
  ...['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECTION_ENDED', 'CONNECT_TIMEOUT'],
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
  ],
  ...['08006', '53300', '57P01', '57014', '58030', '40P01', '55P03', '25P04', '25006'],
])('%s passes: whoever asked may wait', (code) => {
  expect(isDatabaseUnavailable(withCode(code))).toBe(true);
  expect(isDatabaseUnavailable(new Error('Failed query', { cause: withCode(code) }))).toBe(true);
});

test.each(['22001', '23505', '42703', '28P01', 'ERR_INVALID_ARG_TYPE', 'UNDEFINED_VALUE'])(
  '%s does not pass by itself',
  (code) => expect(isDatabaseUnavailable(withCode(code))).toBe(false),
);

test('values are at fault in SQLSTATE 22 and 23 alone', () => {
  expect(isDataError(withCode('22021'))).toBe(true);
  expect(isDataError(withCode('23514'))).toBe(true);
  expect(isDataError(withCode('ECONNRESET'))).toBe(false);
});

test.each(['42501', '28P01', '3D000', '0A000', '26000'])(
  '%s is for whoever runs the database to mend',
  (code) => {
    expect(isInstallationError(withCode(code))).toBe(true);
  },
);

test.each(['22021', '23505', 'XX000', 'P0001', 'ECONNRESET'])('%s is not', (code) => {
  expect(isInstallationError(withCode(code))).toBe(false);
});
