// What the machines tell, in sentences. Each function gives the words for one thing that happened.

import { _, lasting, ngettext, spoken } from './i18n.js';

/** @typedef {import('./lifecycle.js').Partner} Partner @typedef {Record<string, any>} Data */

/** @param {Data} data */
function looking({ asked, waited, again }) {
  const parts = [];
  if (again) parts.push(_('We are looking for somebody else. You are first in line.'));
  if (asked === 0) parts.push(_('Nobody is free at this moment. We keep looking.'));
  else if (asked !== null) {
    parts.push(ngettext('%(count)s volunteer has been asked.', '%(count)s volunteers have been asked.', asked));
  }
  return [...parts, ...since(waited)].join(' ');
}

/** @param {number} waited */
const since = (waited) => (waited >= 1 ? [_('You have waited for %(time)s.', { time: lasting(waited) })] : []);

/** @param {Partner | null} partner */
export function met(partner, role = 'caller') {
  if (!partner) return _('You are connected.');
  const languages = spoken(partner.languages);
  if (partner.alias) {
    return _('You are connected with %(alias)s, who speaks %(languages)s.', { alias: partner.alias, languages });
  }
  return role === 'caller'
    ? _('You are connected with a volunteer who speaks %(languages)s.', { languages })
    : _('You are connected with somebody who speaks %(languages)s.', { languages });
}

/** Who rings, in words: nothing that identifies. @param {Data} offer */
export function offered(offer) {
  const parts = offer.callback ? [_('The person you just helped was cut off, and is calling you back.')] : [];
  parts.push(_('They speak %(languages)s.', { languages: spoken(offer.languages) }));
  if (offer.waited >= 1) parts.push(_('They have waited for %(time)s.', { time: lasting(offer.waited) }));
  if (offer.topic) parts.push(_('It is about: %(topic)s', { topic: offer.topic }));
  return parts.join(' ');
}

/** Why a call ended. @param {string} reason @param {string} role */
export function ended(reason, role) {
  switch (reason) {
    case 'hung':
      return _('You ended the call.');
    case 'abuse':
      return _('You ended the call, blocked the other person and sent a report. You will not meet again.');
    case 'done':
      return role === 'caller' ? _('The volunteer ended the call.') : _('The caller ended the call.');
    case 'cannot_help':
      return role === 'caller' ? _('The volunteer could not help this time.') : _('You could not help this time.');
    case 'technical':
      return _('The call ended because of technical trouble.');
    case 'not_connected':
      return _('The connection did not come about. That happens, and it is nobody’s fault.');
    case 'caller_lost':
      return role === 'caller' ? _('Your connection was lost for too long.') : _('The caller’s connection was lost.');
    case 'volunteer_lost':
      return role === 'caller'
        ? _('The volunteer’s connection was lost.')
        : _('Your connection was lost for too long.');
    case 'staff':
      return _('Our team ended the call.');
    default:
      return _('The call ended while your connection was lost.');
  }
}

/** How to repair what keeps camera or microphone away. @param {string} why @param {string} role */
export function repair(why, role) {
  const camera = role === 'caller';
  switch (why) {
    case 'refused':
      return camera
        ? _(
            'Your browser does not let us use camera and microphone. Allow both for this page: in the address bar, open the site’s settings, set camera and microphone to “allow”, then try again. On an iPhone, look in Settings, Apps, Safari, Camera and Microphone.',
          )
        : _(
            'Your browser does not let us use the microphone. Allow it for this page: in the address bar, open the site’s settings, set the microphone to “allow”, then try again. On an iPhone, look in Settings, Apps, Safari, Microphone.',
          );
    case 'absent':
      return camera
        ? _('We found no camera or no microphone on this device. Plug one in or switch it on, then try again.')
        : _('We found no microphone on this device. Plug one in or switch it on, then try again.');
    case 'busy':
      return camera
        ? _('Another app is using the camera or the microphone. Close video calls and camera apps, then try again.')
        : _('Another app is using the microphone. Close calls and recording apps, then try again.');
    case 'insecure':
      return _(
        'Browsers give camera and microphone only to pages with a secure address. Please open the address that begins with https.',
      );
    default:
      return _('This browser cannot make calls. Please use a current Firefox, Chrome, Edge or Safari.');
  }
}

/** Why this page does not come back by itself. @param {string} why @param {string} detail */
export function closed(why, detail) {
  switch (why) {
    case 'signed_out':
      return _('You were signed out. Please sign in again.');
    case 'banned':
      return _('This account is closed. The reasons and the way to object were mailed to you.');
    case 'too_many':
      return _('visavis is open in too many windows. Close one of them, then load this page again.');
    case 'outdated':
      return _('This page is out of date. Please load it again.');
    default:
      return detail || _('The connection to visavis was closed. Please load this page again.');
  }
}

/** @type {Record<string, (data: Data, role: string) => string>} */
const WORDS = {
  account: ({ standing }) =>
    standing === 'good' || standing === 'warned'
      ? _('Our team has changed something about your account. Look at your mail.')
      : _('Your account was restricted by our team. The reasons are in your mail.'),
  accepting: () => _('One moment: we connect you.'),
  again: ({ reason }) =>
    reason === 'not_connected'
      ? _('The connection did not come about. We are asking somebody else at once; you are first in line.')
      : _('The volunteer’s connection was lost. We are looking for somebody else at once; you are first in line.'),
  asking: () => _('We are asking volunteers.'),
  asking_back: ({ waited = 0 }) => [_('We are ringing the same volunteer.'), ...since(waited)].join(' '),
  away: (_data, role) =>
    role === 'caller'
      ? _('The volunteer’s connection is shaky. Please hold on.')
      : _('The caller’s connection is shaky. Please hold on.'),
  back: () => _('The connection is back.'),
  camera: () => _('Opening the camera. If your browser asks, please allow camera and microphone.'),
  closed: ({ why, detail }) => closed(why, detail),
  connected: ({ partner }, role) => met(partner, role),
  connecting: (_data, role) =>
    role === 'caller' ? _('Somebody answered. We connect you.') : _('You were first. We connect you.'),
  declined: () => _('Declined. Somebody else is asked.'),
  ended: ({ reason }, role) => _('Call ended.') + ' ' + ended(reason, role),
  gone: ({ reason }) =>
    reason === 'taken'
      ? _('Someone else was a moment faster and is helping now. Thank you for being there!')
      : reason === 'cancelled'
        ? _('The caller does not need help any more. Thank you for being there!')
        : _('Somebody else is asked now. No harm done: the next call will come.'),
  forgotten: () => _('All right, we will not tell you.'),
  free: () => _('Somebody is free now. Call if you still need help.'),
  good: () => _('The connection is good again.'),
  late: ({ points = 0 }) => {
    const thanks = _('Someone else was a moment faster and is helping now. Thank you for being there!');
    if (!points) return thanks;
    return thanks + ' ' + ngettext('You earned %(count)s point.', 'You earned %(count)s points.', points);
  },
  later: () => _('All right. You can leave this page open, or close it and come back.'),
  later_over: () => _('Nobody became free in time. You can ask again at any time.'),
  looking,
  microphone: () => _('Checking the microphone. If your browser asks, please allow it.'),
  nobody: ({ waited }) => _('Nobody has answered in %(time)s.', { time: lasting(waited) }),
  off: () => _('Your shift has ended. Thank you!'),
  offline: () => _('The connection to visavis was lost. We are trying to get it back.'),
  offline_call: () => _('The connection to visavis was lost. As long as you hear each other, the call goes on.'),
  on: () => _('You are on shift. We ring when somebody needs you.'),
  online: () => _('The connection is back.'),
  opening: () => _('One moment: we look whether you are still needed.'),
  over_there: () => _('It is over in the other window.'),
  poor: () => _('The connection is poor. Picture and sound may stop for a moment.'),
  problem: ({ detail }) => detail,
  reconnecting: () => _('The connection was lost. We are connecting you again.'),
  rejoining: () => _('Your call goes on. We connect you again.'),
  request_closed: ({ reason }) =>
    reason === 'unanswered'
      ? _('Nobody answered. We stopped looking; you can ask again at any time.')
      : _('Your request is closed. You can ask again at any time.'),
  reserved: () => _('Somebody has picked up and is unlocking their phone.'),
  returned: (_data, role) => (role === 'caller' ? _('The volunteer is back.') : _('The caller is back.')),
  ring: ({ offer }) => _('Somebody needs your help.') + ' ' + offered(offer),
  stopped: () => _('Stopped. Nobody is asked any more.'),
  trouble: ({ why }, role) => repair(why, role),
  waiting_on: () => _('We go on looking.'),
};

/** The sentence for what happened. @param {string} what @param {Data} data @param {string} role */
export function words(what, data, role) {
  const found = WORDS[what];
  if (!found) throw new Error(`no words for ${what}`);
  return found(data, role);
}
