// Chooses the time zone of this device where none was chosen yet. Without scripts the person does.

const zones = /** @type {HTMLSelectElement | null} */ (document.querySelector('#time_zone[data-guess]'));
if (zones && zones.value === 'UTC') {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zones.options].some(({ value }) => value === here)) zones.value = here;
}
