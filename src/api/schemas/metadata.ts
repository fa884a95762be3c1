import * as v from 'valibot';
import {
  isObject,
  maxMetadataBytes,
  maxMetadataDepth,
  metadataProblem,
} from '../../shared/message-extras.ts';

/** Not `v.record`, which drops names like `__proto__`: it is kept as it is. */
export const metadata = v.pipe(
  v.custom<Record<string, unknown>>(isObject, 'must be an object'),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed ? metadataProblem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  }),
  v.metadata({ type: 'object' }),
  v.description(
    `An object of the host's own, at most ${maxMetadataBytes} bytes as JSON and ${maxMetadataDepth} levels deep.`,
  ),
);
