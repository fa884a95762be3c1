import { createEmbeddedNotifications } from '../../src/adapters/embedded/notifications.ts';
import { notificationsConformance } from './notifications.ts';

notificationsConformance('embedded', async () => ({
  ...createEmbeddedNotifications(),
  close: async () => {},
}));
