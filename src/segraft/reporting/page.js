const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".zoom"))
  button.addEventListener("click", () => {
    dialog.replaceChildren(button.firstElementChild.cloneNode(true));
    dialog.showModal();
  });
dialog.addEventListener("click", () => dialog.close());
