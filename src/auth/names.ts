/** Code points of a display name. */
export const maxDisplayNameLength = 100;
