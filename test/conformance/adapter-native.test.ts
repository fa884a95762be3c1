import { nativeAdapter } from '../../src/gateway/native-adapter.ts';
import { adapterConformance } from './adapter.ts';

adapterConformance('native', (publish) => nativeAdapter(publish));
// The rooms of the suite are small.
adapterConformance('native, every room a topic', (publish) => nativeAdapter(publish, 1));
adapterConformance('native, rooms of four and more are topics', (publish) => nativeAdapter(publish, 4));
