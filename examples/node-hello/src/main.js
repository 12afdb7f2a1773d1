// Greets whoever the body names, or the world.
export default async ({ req, res, log }) => {
  const name = req.bodyText || 'world';
  log(`greeting ${name}`);
  return res.text(`Hello, ${name}! This is ${process.release.name} ${process.version}.`);
};
