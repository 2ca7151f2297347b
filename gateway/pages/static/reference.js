// Filters the reference as the reader types, as the server does with ?q=: an entry whole where its own words hold all
// that is looked for, else those of its members that do.

const input = document.getElementById('q');
const found = document.getElementById('found');
const entries = [...document.querySelectorAll('.entry')].map(element => ({
  element,
  name: element.id.toLowerCase(),
  text: element.dataset.text.toLowerCase(),
  members: [...element.querySelectorAll('.member')].map(member => ({
    element: member,
    text: member.dataset.text.toLowerCase(),
  })),
}));
const kinds = [...document.querySelectorAll('.kind')];
const links = [...document.querySelectorAll('.contents li')].map(element => ({
  element,
  target: document.getElementById(decodeURIComponent(element.firstElementChild.hash.slice(1))),
}));

function filter() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = text => words.every(word => text.includes(word));
  let count = 0;
  for (const {element, name, text, members} of entries) {
    const whole = has(text);
    let some = false;
    for (const member of members) {
      const shown = whole || has(`${name} ${member.text}`);
      member.element.hidden = !shown;
      some ||= shown;
    }
    element.hidden = !(whole || some);
    count += element.hidden ? 0 : 1;
  }
  for (const kind of kinds) kind.hidden = !kind.querySelector('.entry:not([hidden])');
  for (const {element, target} of links) element.hidden = !target || Boolean(target.closest('[hidden]'));
  for (const details of document.querySelectorAll('.contents details')) {
    details.hidden = !details.querySelector('li:not([hidden])');
    if (words.length) details.open = true;
  }
  found.textContent = words.length ? (count ? found.dataset.found + count : found.dataset.none) : '';
}

// A page of the server's own search holds what it found: more is looked for by asking it again.
if (!new URLSearchParams(location.search).get('q')) {
  input.addEventListener('input', filter);
  document.getElementById('search').addEventListener('submit', event => {
    event.preventDefault();
    filter();
  });
  // What the browser has put back after "back" is filtered for again.
  if (input.value) filter();
}
