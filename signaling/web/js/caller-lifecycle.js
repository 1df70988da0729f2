// The caller's page: from the one button to the next call. Pure, see lifecycle.js.

import {
  alert,
  begun,
  closed,
  CONNECTED,
  CONNECTING,
  elsewhere,
  fresh,
  machine,
  mine,
  said,
  send,
  show,
  sound,
  tell,
} from './lifecycle.js';

/** @typedef {import('./lifecycle.js').Now} Now @typedef {import('./lifecycle.js').Move} Move */
/** @typedef {import('./lifecycle.js').Moves} Moves @typedef {import('./lifecycle.js').Effect} Effect */
/** @typedef {import('./lifecycle.js').Happening} Happening */

/** @returns {Now} */
export const start = (kept = {}) => fresh('ready', kept);

/** Back to the one button, without camera. @type {(now: Now, ...effects: Effect[]) => [Now, ...Effect[]]} */
const home = (now, ...effects) => [
  { ...fresh('ready'), dropped: now.dropped },
  { do: 'camera.close' },
  show('ready'),
  ...effects,
];

/** The camera first: opening it takes time, and while a volunteer waits is the wrong moment. @type {Move} */
const ask = (now, event) => [
  { ...fresh('camera'), request: event.request_id, dropped: now.dropped },
  { do: 'camera.open' },
  tell('camera'),
];

/** The volunteer of the call that was cut off is rung again. @type {Move} */
const callBack = (now, event) => {
  const [state, ...effects] = /** @type {[Now, ...Effect[]]} */ (ask(now, event));
  return [{ ...state, back: now.call }, ...effects];
};

/** @type {Move} */
const stop = (now) =>
  home({ ...now, dropped: now.request }, send('help.cancel', { request_id: now.request }), tell('stopped'));

/** @type {Move} */
const status = (now, event) => {
  if (event.request_id !== now.request) return null;
  /** @type {Effect[]} */
  const shown = now.at === 'ringing' || now.at === 'asking' ? [] : [show('waiting')];
  return [{ ...now, at: 'ringing', search: event.state }, ...shown, going(now, event), sound('tick')];
};

/** How the search goes. That it is for somebody else now is said once. @type {(now: Now, event: Happening) => Effect} */
const going = (now, { state, asked = null, waited }) => {
  if (state === 'reserved') return tell('reserved');
  if (state === 'looking' && now.back) return tell('asking_back', { waited });
  return tell('looking', { asked, waited, again: state === 'looking_again' && now.search !== state });
};

/** @type {Move} */
const nobody = (now, event) =>
  event.request_id === now.request
    ? [{ ...now, at: 'nobody' }, show('nobody'), tell('nobody', { waited: event.waited }), sound('nobody')]
    : null;

/** @type {Move} */
const requestClosed = (now, event) =>
  event.request_id === now.request ? home(now, tell('request_closed', { reason: event.reason })) : null;

/** Not now, but when somebody is free: the page may be closed meanwhile. @type {Move} */
const later = (now) => [
  { ...now, at: 'later' },
  { do: 'camera.close' },
  send('help.later', { request_id: now.request }),
  show('later'),
  tell('later'),
];

/** @type {Move} */
const free = (now, event) =>
  now.at === 'ready' || event.request_id === now.request
    ? [
        { ...fresh('free'), request: event.request_id, dropped: now.dropped },
        { do: 'camera.close' },
        show('free'),
        tell('free'),
        sound('free'),
      ]
    : null;

/** No wish to be told any more. @type {Move} */
const forget = (now) => home(now, send('help.cancel', { request_id: now.request }), tell('forgotten'));

/** Somebody answered. A page that did not ask says where the call is. @type {Move} */
const begin = (now, event) => {
  if (mine(now, event)) return begun(now, event);
  // It was answered in the moment in which the person stopped asking: nobody wants this call any more.
  if (event.request_id === now.dropped) return [now, send('call.end', { call_id: event.call_id, reason: 'done' })];
  return now.at === 'ready' || now.at === 'camera' || now.at === 'ended' ? elsewhere(now, event) : null;
};

/** @type {Move} */
const refused = (now, event) => {
  if (event.of !== 'help.ask' && event.of !== 'help.callback') return null;
  if (event.code === 'request_open' || event.code === 'in_call') return elsewhere(now, { type: 'other' });
  return home(now, tell('problem', { detail: event.detail }), sound('nobody'));
};

/** @type {(made: [Now, ...Effect[]], event: Happening) => [Now, ...Effect[]]} */
const mayCallBack = ([state, ...effects], event) => [
  { ...state, mayCallBack: Boolean(event.may_call_back) },
  ...effects,
];

/**
 * Ended by the network: the server asks again by itself, first in line, and the camera stays open for the next one.
 * @type {Move}
 */
const over = (now, event) => {
  const normally = CONNECTED['call.ended']?.(now, event) ?? null;
  if (normally === null) return null;
  if (!['volunteer_lost', 'not_connected'].includes(event.reason)) return mayCallBack(normally, event);
  return [
    { ...now, at: 'ringing', trouble: '', partner: null, reason: event.reason, search: 'looking_again' },
    { do: 'peer.close' },
    show('waiting'),
    alert('again', { reason: event.reason }),
    sound('lost'),
  ];
};

/** The request goes on after all: the volunteer left before the two had met. @type {Move} */
const goesOn = (now, event) => {
  if (event.state !== 'looking_again' || now.reason === 'hung' || now.reason === 'abuse') return null;
  const made = status(now, event);
  if (made === null) return null;
  const [state, ...effects] = made;
  return [state, { do: 'camera.open' }, ...effects];
};

/** @type {(now: Now, request: Happening) => [Now, ...Effect[]]} */
const rejoinRequest = (now, request) => [
  {
    ...now,
    at: request.nobody ? 'nobody' : 'ringing',
    request: request.request_id,
    there: null,
    search: request.state ?? '',
  },
  { do: 'peer.close' },
  { do: 'camera.open' },
  show(request.nobody ? 'nobody' : 'waiting'),
  request.nobody ? tell('nobody', { waited: request.waited }) : going(now, { ...request, asked: null }),
];

/** A call of this page that was cut off while nobody here could know. @type {(now: Now) => [Now, ...Effect[]] | null} */
const cutOff = (now) => {
  const lost = { call_id: now.call, reason: 'caller_lost', may_call_back: true };
  const made = CONNECTED['call.ended']?.(now, lost) ?? null;
  return made && mayCallBack(made, lost);
};

/**
 * The server knows of a wish to be told, or of none.
 * @type {(now: Now, told: Happening | null, waits: Happening | null) => [Now, ...Effect[]] | null}
 */
const wished = (now, told, waits) => {
  if (told) return now.at === 'free' ? null : free({ ...now, at: 'ready' }, told);
  if (!waits) return now.at === 'later' ? home(now, tell('later_over')) : home(now);
  if (now.at === 'later') return null;
  return [{ ...fresh('later'), request: waits.request_id }, { do: 'camera.close' }, show('later'), tell('later')];
};

const IN_CALL = ['connecting', 'connected'];
const WAITING = ['ringing', 'nobody'];
const RESTING = ['ready', 'later', 'free', 'elsewhere', ...WAITING];

/**
 * The server said hello. A resumed session goes on with the events that were missed; otherwise `state` is the truth.
 * @type {Move}
 */
const welcome = (now, event) => {
  if (event.resumed) return [now, { do: 'peer.check' }];
  const { call, request, call_back: back, later: waits, free: told } = event.state;
  if (call) {
    if (!mine(now, call)) return elsewhere(now, call);
    if (IN_CALL.includes(now.at) && call.call_id === now.call) return [now, { do: 'peer.check' }];
    return begun(now, call, true, now.at === 'ready' ? 'rejoining' : 'connecting');
  }
  if (IN_CALL.includes(now.at)) {
    if (request?.request_id === now.request) return rejoinRequest(now, request);
    if (back && back.call_id === now.call) return cutOff(now);
    return CONNECTED['call.ended']?.(now, { call_id: now.call, reason: 'gone' }) ?? null;
  }
  if (request) {
    if (request.request_id !== now.request) return elsewhere(now, request);
    if (WAITING.includes(now.at) && (now.at === 'nobody') === Boolean(request.nobody)) return null;
    return now.at === 'asking' ? null : rejoinRequest(now, request);
  }
  if (now.at === 'ready' && back && back.call_id === now.call) return cutOff(now);
  if (RESTING.includes(now.at) && (told || waits)) return wished(now, told, waits);
  if (now.at === 'later' || now.at === 'free') return wished(now, null, null);
  // What this page waited for is over, or a page was loaded anew after the end.
  if (WAITING.includes(now.at)) return home(now, tell('request_closed', { reason: 'gone' }));
  if (now.at === 'elsewhere') return home(now);
  return now.at === 'ready' && (now.request || now.call) ? [fresh('ready')] : null;
};

/** What another window did is over. @type {Move} */
const overThere = (now, event) => {
  const { call_id: call, request_id: request } = now.there ?? { type: '' };
  const same = event.call_id ? event.call_id === call || !call : event.request_id === request || !request;
  return same ? home(now, tell('over_there')) : null;
};

/** The socket is away for longer than a moment, while nobody talks yet. @type {Moves} */
const WIRE = {
  'wire.lost': (now) => [now, alert('offline')],
  'wire.back': (now) => [now, alert('online')],
};

/** @type {Moves} */
const ALWAYS = {
  welcome,
  'wire.closed': closed,
  'call.begin': begin,
  'account.changed': (now, event) => [now, tell('account', { standing: event.standing })],
};

const step = machine(
  {
    ready: {
      'press.ask': ask,
      'help.free': free,
      'help.status': (now, event) => (event.request_id === now.dropped ? null : elsewhere(now, event)),
    },
    camera: {
      // Pressed twice while the browser asks for permission: once is enough.
      'press.ask': (now) => [now],
      'camera.opened': (now) => [
        { ...now, at: 'asking' },
        now.back
          ? send('help.callback', { call_id: now.back, request_id: now.request })
          : send('help.ask', { request_id: now.request }),
        show('waiting'),
        tell(now.back ? 'asking_back' : 'asking'),
        sound('asking'),
      ],
      'camera.failed': (now, event) => [fresh('trouble'), show('trouble'), tell('trouble', { why: event.why })],
    },
    trouble: {
      'press.ask': ask,
    },
    asking: {
      ...WIRE,
      'help.status': status,
      'help.nobody': nobody,
      'help.closed': requestClosed,
      refused,
      'press.stop': stop,
    },
    ringing: {
      ...WIRE,
      'help.status': status,
      'help.nobody': nobody,
      'help.closed': requestClosed,
      refused,
      'press.stop': stop,
      'camera.failed': (now, event) => {
        const [state, ...effects] = /** @type {[Now, ...Effect[]]} */ (stop(now, event));
        return [{ ...state, at: 'trouble' }, ...effects, show('trouble'), tell('trouble', { why: event.why })];
      },
    },
    nobody: {
      ...WIRE,
      'help.status': status,
      'help.closed': requestClosed,
      'press.wait': (now) => [
        { ...now, at: 'ringing' },
        send('help.wait', { request_id: now.request }),
        show('waiting'),
        tell('waiting_on'),
      ],
      'press.later': later,
      'press.stop': stop,
    },
    later: {
      ...WIRE,
      'help.free': free,
      'help.closed': (now, event) => (event.reason === 'later' ? null : requestClosed(now, event)),
      refused: (now, event) => (event.of === 'help.later' ? home(now, tell('problem', { detail: event.detail })) : null),
      'press.ask': ask,
      'press.stop': forget,
    },
    free: {
      'help.closed': requestClosed,
      'press.ask': ask,
      'press.stop': forget,
    },
    connecting: { ...CONNECTING, 'call.ended': over },
    connected: { ...CONNECTED, 'call.ended': over },
    ended: {
      'press.ask': ask,
      'press.callback': callBack,
      'help.status': goesOn,
      // Ended here before, and now the server says so too.
      'call.ended': (now, event) => {
        const made = said(now, event);
        return made && mayCallBack(made, event);
      },
    },
    elsewhere: {
      'press.here': (now) => {
        if (now.there?.call_id && !now.there.taken) return begun(now, now.there, true, 'rejoining');
        if (now.there?.request_id) return rejoinRequest(now, now.there);
        return [now, { do: 'reload' }];
      },
      'help.closed': overThere,
      'call.ended': overThere,
      'call.begin': (now, event) => [{ ...now, there: event }],
      'help.status': (now, event) => [{ ...now, there: now.there?.call_id ? now.there : event }],
    },
    closed: {},
  },
  ALWAYS,
);

export default step;
