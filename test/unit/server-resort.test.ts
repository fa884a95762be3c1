import { expect, test } from 'bun:test';
import { decideResort, type MachineFacts } from '../../src/commands/servers/resort.ts';

const bare: MachineFacts = {
  missing: ['postgres', 'rabbitmq'],
  platform: 'linux',
  dockerAnswers: false,
  hasApt: false,
  isRoot: false,
};

test('nothing missing: the binaries on the machine, even with a Docker engine', () => {
  expect(decideResort({ ...bare, missing: [], dockerAnswers: true })).toEqual({ kind: 'binaries' });
});

test('a Docker engine comes before installing', () => {
  const resort = decideResort({ ...bare, dockerAnswers: true, hasApt: true, isRoot: true });
  expect(resort.kind).toBe('docker');
  expect(resort).toHaveProperty('message', expect.stringContaining('PostgreSQL, RabbitMQ'));
});

test('root on Debian: says what it installs', () => {
  expect(decideResort({ ...bare, hasApt: true, isRoot: true })).toEqual({
    kind: 'apt',
    packages: ['postgresql', 'rabbitmq-server'],
    message: expect.stringContaining('apt-get: postgresql rabbitmq-server'),
  });
});

test('a browser and a client of Python are in no container: they are installed, or the reader is told how', () => {
  const missing: MachineFacts['missing'] = ['redis', 'python', 'chromium', 'prometheus'];
  expect(decideResort({ ...bare, missing, dockerAnswers: true, hasApt: true, isRoot: true })).toMatchObject({
    kind: 'apt',
    packages: [
      'redis-server',
      'python3-socketio',
      'python3-requests',
      'python3-websocket',
      'chromium',
      'prometheus',
    ],
  });
  const stopped = decideResort({ ...bare, missing: ['python'], platform: 'darwin', dockerAnswers: true });
  expect(stopped).toHaveProperty('message', expect.stringContaining('pip install "python-socketio[client]"'));
  expect(stopped).toHaveProperty('message', expect.not.stringContaining('Docker'));
  const browserless = decideResort({ ...bare, hasApt: true, missing: ['chromium'], dockerAnswers: true });
  expect(browserless).toHaveProperty('message', expect.stringContaining('Not on this machine: Chromium.'));
  expect(browserless).toHaveProperty('message', expect.stringContaining('apt-get install -y chromium'));
  expect(browserless).toHaveProperty('message', expect.not.stringContaining('Docker'));
});

test('not root on Debian: stops with the line to type', () => {
  const resort = decideResort({ ...bare, hasApt: true, missing: ['redis', 'nginx'] });
  expect(resort.kind).toBe('stop');
  expect(resort).toHaveProperty(
    'message',
    expect.stringContaining('sudo apt-get update && sudo apt-get install -y redis-server nginx-light'),
  );
});

test('macOS: stops with the line to type', () => {
  const resort = decideResort({ ...bare, platform: 'darwin' });
  expect(resort).toHaveProperty('message', expect.stringContaining('brew install postgresql@17 rabbitmq'));
});

test('Windows: stops and asks for Docker', () => {
  const resort = decideResort({ ...bare, platform: 'win32' });
  expect(resort).toHaveProperty('message', expect.stringMatching(/by one of:\n {2}a running Docker engine/));
});

test('whoever is stopped learns what works without servers', () => {
  for (const platform of ['linux', 'darwin', 'win32'] as const)
    expect(decideResort({ ...bare, platform })).toHaveProperty(
      'message',
      expect.stringContaining('test:embedded'),
    );
  expect(decideResort(bare, 'or do that')).toHaveProperty('message', expect.stringMatching(/or do that$/));
});
