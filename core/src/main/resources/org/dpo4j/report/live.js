// Asks for the page again every two seconds and replaces the sections that changed. What a reader
// opened, scrolled or focused stays so.
(() => {
  const EVERY = 2000;
  const lost = document.getElementById('lost');
  let tag = '';

  const kept = (section) => ({
    open: [...section.querySelectorAll('details')].map((part) => part.open),
    scrolled: [...section.querySelectorAll('.wide')].map((part) => part.scrollLeft),
    focused: [...section.querySelectorAll('summary, a')].indexOf(document.activeElement),
  });

  const restore = (section, before) => {
    section.querySelectorAll('details').forEach((part, i) => (part.open = before.open[i] === true));
    section.querySelectorAll('.wide').forEach((part, i) => (part.scrollLeft = before.scrolled[i] || 0));
    if (before.focused >= 0) {
      section.querySelectorAll('summary, a')[before.focused]?.focus({preventScroll: true});
    }
  };

  const show = (html) => {
    const fresh = new DOMParser().parseFromString(html, 'text/html');
    document.title = fresh.title;
    fresh.querySelectorAll('section').forEach((section) => {
      const old = document.getElementById(section.id);
      const before = kept(old);
      if (old.innerHTML !== section.innerHTML) {
        old.replaceChildren(...section.childNodes);
        restore(old, before);
      }
    });
  };

  const ask = async () => {
    try {
      if (!document.hidden) {
        const answer = await fetch('/', {headers: tag ? {'If-None-Match': tag} : {}, cache: 'no-store'});
        if (answer.status === 200) {
          tag = answer.headers.get('ETag') || '';
          show(await answer.text());
        }
        lost.hidden = true;
      }
    } catch (stopped) {
      lost.hidden = false;
    }
    setTimeout(ask, EVERY);
  };
  setTimeout(ask, EVERY);
})();
