import { createEmbeddedNotifications } from '../../src/shared/notifications/embedded.ts';
import { notificationsConformance } from './notifications.ts';

notificationsConformance('embedded', async () => ({
  ...createEmbeddedNotifications(),
  close: async () => {},
}));
