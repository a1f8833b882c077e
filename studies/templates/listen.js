// A link to a clip plays it in the one player of the page.
const player = document.getElementById("player");
for (const link of document.querySelectorAll("a.clip")) {
  link.addEventListener("click", event => {
    event.preventDefault();
    document.querySelector("a.clip[aria-current]")?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    player.hidden = false;
    player.src = link.href;
    player.setAttribute("aria-label", `clip ${link.textContent}`);
    player.play();
  });
}
